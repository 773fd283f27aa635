# eagain top: a recording while it goes on, as lines and on a terminal.

load helper
load screen

setup() {
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
	# Whoever watches how long the test takes.
	others=" $(jobs -p | paste -sd' ') "
}

teardown() {
	local job
	close_screen
	for job in $(jobs -p); do
		[[ $others == *" $job "* ]] || { kill -9 "$job" && wait "$job"; }
	done 2>/dev/null
	true
}

# record_blocked: cat waits for the fifo, which fd 5 holds open, and tail for cat.
record_blocked() {
	mkfifo fifo
	exec 5<>fifo
	"$EAGAIN" record sh -c 'cat | tail -n 1' <fifo 5>&- >/dev/null &
	blocked=$!
	parked 2 $blocked
}

# parked N PID: waits until so many operations are parked.
parked() {
	until [ "$("$EAGAIN" log 2>/dev/null | grep -c 'ev=park ')" -ge "$1" ]; do
		kill -0 "$2"
	done
}

# value KEY: of each line.
value() {
	sed -n "s/.* $1=\(\"[^\"]*\"\|[^ ]*\).*/\1/p"
}

@test "lines: who waits for what, told by the trace, for longer and longer" {
	record_blocked
	"$EAGAIN" top --count=3 -d 100ms >out 2>err
	[ ! -s err ]
	[ "$(grep -c '^t=[0-9.]* by=process running=3 of=[0-9]* threads=3 ' out)" = 3 ]
	[ "$(grep -c '^$' out)" = 3 ]
	run -1 grep $'\e' out
	grep ' command=cat ' out >cat.lines
	grep ' command="tail -n 1" ' out >tail.lines
	[ "$(wc -l <cat.lines)" = 3 ] && [ "$(wc -l <tail.lines)" = 3 ]
	[ "$(value state <cat.lines | sort -u)" = waits ]
	[ "$(value call <cat.lines | sort -u)" = read ]
	[ "$(value fd <cat.lines | sort -u)" = 0 ]
	[[ $(value name <cat.lines | sort -u) == *"/fifo"* ]]
	[ "$(value told <cat.lines | sort -u)" = trace ]
	[[ $(value name <tail.lines | sort -u) == 'pipe:['*']' ]]
	# Who is at the other end of tail's pipe: cat.
	[ "$(value peer <tail.lines | sort -u)" = "$(value pid <cat.lines | sort -u)" ]
	for file in cat.lines tail.lines; do
		value for <"$file" >for
		sort -n for | uniq | diff - for
	done
	# What it waited of each second is all of it, and nothing was called.
	value wait_s <cat.lines | tail -n 2 | awk '$1 < 0.9 || $1 > 1.1 { exit 1 }'
	[ "$(value calls_s <cat.lines | tail -n 1)" = 0.0 ]
}

@test "lines: an event loop that computes between its polls: stalls, and for how long it is away now" {
	need_program python3
	cat >loop <<-'PYTHON'
		import select, time
		loop = select.epoll()
		while True:
		    loop.poll(0)
		    end = time.monotonic() + 0.1
		    while time.monotonic() < end: pass
	PYTHON
	"$EAGAIN" record python3 loop &
	pid=$!
	until "$EAGAIN" top --count=2 -d 300ms >out 2>/dev/null && grep ' command="[^ ]*python3 loop" ' out | tail -n 1 >line &&
		grep -q ' away=[0-9].* stalls_s=[0-9]*[1-9]' line; do
		kill -0 $pid
	done
	[ "$(value state <line)" = runs ]
	value stalled_s <line | awk '$1 <= 0.1 || $1 > 1.5 { exit 1 }'
	"$EAGAIN" top --count=1 --by=thread | grep -q ' tid=[1-9].* stalls_s='
	kill -9 $pid
}

@test "lines: a plain call in progress, a lock; and what /proc tells" {
	need_program perl python3
	mkfifo fifo
	exec 5<>fifo
	"$EAGAIN" record sh -c 'sleep 1000 & perl -e "vec(\$r, 0, 1) = 1; select \$r, undef, undef, undef"; kill $!' <&5 5>&- &
	pid=$!
	until "$EAGAIN" top --count=1 >out 2>/dev/null && grep -q ' call=select ' out && grep -q ' call=.*nanosleep ' out &&
		[ "$(value state <out | sort -u)" = waits ]; do
		kill -0 $pid
	done
	[ "$(value told <out | sort -u)" = trace ]
	grep 'command="perl ' out | grep -q ' call=select .* for=[0-9]*\.[0-9]* '
	grep 'command="sleep 1000"' out | grep -q ' call=.*nanosleep '
	grep 'command="sh ' out | grep -q ' call=wait'
	"$EAGAIN" top --count=1 --by=thread | grep -q ' tid=[1-9].* call=.*nanosleep '
	"$EAGAIN" top --count=1 --by=fd | grep -q '^t=.* by=fd '
	echo >&5
	ends_with 0 $pid
	rm -r eagain.trace
	"$EAGAIN" record python3 -c 'import threading; l = threading.Lock(); l.acquire(); l.acquire()' &
	pid=$!
	until "$EAGAIN" top --count=1 2>/dev/null | grep -q ' state=waits call=sem_[a-z]*wait .* for=[0-9.]* told=trace '; do
		kill -0 $pid
	done
	kill -9 $pid
	ends_with 137 $pid
	rm -r eagain.trace
	# Who has a mutex.
	"$EAGAIN" record "$PROGRAMS/stalls" epoll deadlock >/dev/null &
	pid=$!
	until "$EAGAIN" top --count=1 2>/dev/null | grep -q ' call=pthread_rwlock_rdlock .* peer=[1-9][0-9]* .* told=trace '; do
		kill -0 $pid
	done
	kill -9 $pid
	ends_with 137 $pid
	rm -r eagain.trace
	"$EAGAIN" record perl -MPOSIX -e pause &
	pid=$!
	until "$EAGAIN" top --count=1 2>/dev/null | grep -q ' command="perl .* state=waits call=pause .* for=[0-9.]* told=trace '; do
		kill -0 $pid
	done
	kill -9 $pid
	ends_with 137 $pid
	"$EAGAIN" report | grep -q 'was in pause() when it was last seen'
	rm -r eagain.trace
	# It opens its file inside libc.
	mkfifo unopened
	"$EAGAIN" record cut -c1 unopened &
	pid=$!
	until "$EAGAIN" top --count=1 2>/dev/null | grep -q ' command="cut .* state=waits call=open[a-z]* .* for=[0-9.]* told=proc '; do
		kill -0 $pid
	done
	kill -9 $pid
	ends_with 137 $pid
}

@test "it ends when the recording does, and says so" {
	record_blocked
	"$EAGAIN" top -d 50ms >out 2>err 5>&- &
	top=$!
	until [ "$(grep -c 'by=process' out)" -ge 2 ]; do kill -0 $top; done
	exec 5>&-
	ends_with 0 $blocked
	ends_with 0 $top
	[ "$(cat err)" = 'eagain: eagain.trace: the recording has ended: eagain report says more' ]
	# What has ended is shown so.
	grep 'command=cat' out | tail -n 1 | grep -q ' state=ended '
	grep 'by=process' out | tail -n 1 | grep -q ' running=0 of='
	# And of a trace that is no recording any more.
	run --separate-stderr -0 "$EAGAIN" top
	# shellcheck disable=SC2154 # stderr, stderr_lines: set by run
	[[ $stderr == *'the recording has ended'* && ${#stderr_lines[@]} == 1 && $output == *' running=0 '* ]]
}

# counted: how many calls the blocks in "out" tell of.  The first is of the delay, 0.1 s; the others of the time since the one before.
counted() {
	sed -n 's/^t=\([0-9.]*\) by=.* calls_s=\([0-9.]*\) .*/\1 \2/p' out |
		awk '{ n += $2 * (NR == 1 ? 0.1 : $1 - before); before = $1 } END { printf "%.0f\n", n }'
}

@test "each call is counted once: of many threads, children, and files that are cut off as they end" {
	mkfifo fifo
	exec 5<>fifo
	while read -r load; do
		rm -rf eagain.trace
		# shellcheck disable=SC2086 # words
		"$EAGAIN" record sh -c 'read -r x; exec "$@"' sh "$PROGRAMS/load" $load <&5 5>&- >/dev/null &
		pid=$!
		parked 1 $pid
		"$EAGAIN" top -d 100ms >out 2>/dev/null 5>&- &
		top=$!
		until grep -q by=process out; do kill -0 $top; done
		first=$(sed -n 's/^t=\([0-9.]*\) .*/\1/p;q' out)
		echo >&5
		ends_with 0 $pid
		ends_with 0 $top
		# The log has a duration where a call ends; those of before the first look are not counted.
		all=$("$EAGAIN" log | awk -v from="$first" '/ dur=/ && !/ ev=(lock|away) / && substr($1, 3) > from { n++ } END { print n }')
		seen=$(counted)
		note "load $load: $all calls, $seen counted"
		[ "$((seen > all ? seen - all : all - seen))" -le $((all / 100 + 5)) ]
	done <<-END
		threads 50 2000
		children 200 5
		forks 5 8 500
		calls 300000
	END
}

@test "the flight recorder: what is overwritten before it is read is told" {
	mkfifo started
	"$EAGAIN" record --max-size=256K "$PROGRAMS/load" until-killed >started &
	pid=$!
	read -r _ <started
	"$EAGAIN" top --count=4 -d 200ms >out
	kill -9 $pid
	ends_with 137 $pid
	[ "$(grep -c ' running=1 ' out)" = 4 ]
	sed -n 's/.* unseen_s=//p' out | tail -n 1 | awk '$1 < 1000 { exit 1 }'
	"$EAGAIN" record --max-size=64M "$PROGRAMS/load" until-killed >started &
	pid=$!
	read -r _ <started
	"$EAGAIN" top --count=2 -d 50ms >out
	kill -9 $pid
	ends_with 137 $pid
	[ "$(sed -n 's/.* unseen_s=//p' out | sort -u)" = 0.0 ]
	grep ' command="load until-killed"' out | tail -n 1 | value calls_s | awk '$1 < 1000 { exit 1 }'
}

@test "on a terminal: keys, order, help, and lines that fit" {
	record_blocked
	open_screen
	type_in '"$EAGAIN" top -d 200ms'
	shows '^eagain top  .* 3 of [0-9]* process images; by process, sorted by wait' '^ *PID COMMAND .* FOR  NOW' 'q quit$'
	shows '^ *[0-9]* cat .* s  read fd 0 \.\.\..*/fifo' '^ *[0-9]* tail -n 1 .* s  read fd 0 <- [0-9]* cat' ' s  wait[a-z0-9]* for a child'
	narrow 80
	press t
	shows 'by thread' '^ *TID THREAD' '^ *[0-9]* tail .* read fd 0 <- [0-9]* cat'
	press f
	shows 'by fd' '^ *PID COMMAND  *FD' '^ *[0-9]* cat  *0 .* s  read \.\.\..*/fifo'
	narrow 80
	press p s
	shows 'by process, sorted by calls'
	press s s s
	shows 'by process, sorted by stalled'
	press s s
	shows 'sorted by number'
	press s
	shows 'sorted by wait'
	press '?'
	shows 'how long its wait has lasted' 'q back'
	narrow 80
	press q
	shows 'q quit'
	screen resize-window -x 110 -y 10
	shows ' WAIT ' '100%'
	[ "$(wc -l <seen)" -le 10 ]
	screen resize-window -x 30 -y 5
	shows '^eagain top' '^ p t f'
	screen resize-window -x 80 -y 24
	shows 'q quit'
	# It ends with the recording; what was shown last stays.
	exec 5>&-
	ends_with 0 $blocked
	shows 'eagain: eagain.trace: the recording has ended' 'cat .*ended with status 0' '^@$'
	is_clean
}

@test "the terminal is given back: q, Ctrl-C, SIGTERM, Ctrl-Z and fg" {
	record_blocked
	open_screen
	gives_back 'q quit' '"$EAGAIN" top' q
	gives_back 'q quit' '"$EAGAIN" top' C-c
	gives_back 'q quit' '"$EAGAIN" top' TERM
	gives_back 'q quit' '"$EAGAIN" top' C-z
	type_in clear
	type_in fg
	shows '^eagain top' 'q quit'
	press C-z
	shows Stopped
	is_clean
	gives_back 'q quit' fg q
	# Without keys, it ends by Ctrl-C.
	gives_back 'q quit' '"$EAGAIN" top </dev/null' C-c
}

@test "errors: one line each" {
	run --separate-stderr -1 "$EAGAIN" top none
	[[ -z $output && ${#stderr_lines[@]} == 1 && $stderr == 'eagain: none: '* ]]
	run --separate-stderr -1 "$EAGAIN" top
	[[ -z $output && ${#stderr_lines[@]} == 1 && $stderr == 'eagain: eagain.trace: No such file'* ]]
	for bad in '-d 0' '-d x' '-d 1ms' '--count=0' '--by=colour' 'a b'; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr -2 "$EAGAIN" top $bad
		[[ -z $output && ${#stderr_lines[@]} == 1 && $stderr == 'eagain: '* ]]
	done
}

@test "damaged traces never crash it" {
	"$EAGAIN" record -o good bash -c '(echo one; sleep 0.01; echo two) | cat | (read -r x; exec cat)' >/dev/null
	RANDOM=4
	for round in $(seq 60); do
		damage good bad
		status=0
		timeout 20 "$EAGAIN" top --count=1 --by=fd bad >out 2>err || status=$?
		[ "$status" -le 1 ] || { echo "round $round: status $status"; cat err; false; }
	done
}
