# The timeline: lanes of threads and fds, and one operation between user space and the kernel.

load helper

setup() {
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
	unset COLUMNS
}

# parked PATTERN: waits until the trace, which is being written, has a parked operation whose line matches.
parked() {
	until "$EAGAIN" log eagain.trace 2>/dev/null | grep -q "ev=park .*$1"; do
		kill -0 "$pid"
	done
}

# number PATTERN: the first operation that would block, of those whose line matches.
number() {
	"$EAGAIN" log | sed -n "/ev=EWOULDBLOCK .*$1/s/.* op=\([0-9]*\) .*/\1/p" | head -n 1
}

fits() {
	awk -v width="$1" 'length > width { print length ": " $0; bad = 1 } END { exit bad }' "$2"
}

plain() {
	run -1 grep -n '[^ -~]' "$1"
}

@test "lanes: a pipeline's waits, in the order in which the processes began" {
	"$EAGAIN" record bash -c '(sleep 0.3; echo one; sleep 0.3; echo two) | cat | tail -n 1' >/dev/null
	run -0 "$EAGAIN" timeline
	ordered ' in all, ' '|---' $'\nbash -c' $'\ncat (pid ' $'\ntail -n 1 (pid ' \
		'r waits to read' 's sleeps' 'c waits for a child' 'capital: such a wait ended here'
	grep -Eq '^cat \(pid [0-9]+\) .*rr[R+].*rr[R+]' <<<"$output"
	grep -Eq '^tail -n 1 \(pid [0-9]+\) .*rrrr[R+]' <<<"$output"
	[ "$(grep -Ec '^sleep 0.3 \(pid [0-9]+\) .*ss[S+]' <<<"$output")" = 2 ]
	grep -Eq '^bash .*\) .*cccc' <<<"$output"
	# The second sleep begins where the first has ended.
	awk '/^sleep/ { match($0, /\) +/); from[++n] = RSTART + RLENGTH; to[n] = length } END { exit !(from[2] >= to[1]) }' <<<"$output"
}

@test "lanes: the width of \$COLUMNS, of the terminal, or 100; the same into a file" {
	"$EAGAIN" record bash -c '("$PROGRAMS/asleep"; echo one) | cat | (read -r x; exec tail -n 1) |
		bash -c "read -r a_long_command_line; true; true; true"'
	for width in 60 80 200; do
		for view in '' --by=fd "--op=$(number call=read)"; do
			# shellcheck disable=SC2086 # none, or one
			COLUMNS=$width "$EAGAIN" timeline $view >out
			# shellcheck disable=SC2086
			COLUMNS=$width "$EAGAIN" timeline $view -o file
			cmp out file
			fits "$width" out
			plain out
			[[ $view == --op* ]] || [ "$(grep -o '^ *|--.*' out | awk '{ print length }')" = "$width" ]
		done
	done
	"$EAGAIN" timeline >out
	[ "$(grep -o '^ *|--.*' out | awk '{ print length }')" = 100 ]
	for columns in '' x -5 0 1 999999999999999999999; do
		COLUMNS=$columns "$EAGAIN" timeline >/dev/null
	done
	command -v script >/dev/null || skip "script is not installed"
	script -qec 'stty cols 73; NO_COLOR=1 "$EAGAIN" timeline' /dev/null </dev/null | tr -d '\r' >out
	[ "$(grep -o '^ *|--.*' out | awk '{ print length }')" = 73 ]
}

@test "lanes: a process over an exec, and its threads" {
	mkfifo fifo
	exec 5<>fifo
	"$EAGAIN" record sh -c 'read -r x; exec cat' <&5 >/dev/null 5>&- &
	pid=$!
	parked call=read
	echo >&5
	until "$EAGAIN" log | grep -q 'ev=exec'; do kill -0 $pid; done
	kill -9 $pid
	ends_with 137 $pid
	run -0 "$EAGAIN" timeline
	[ "$(grep -c "(pid $pid)" <<<"$output")" = 1 ]
	rm -r eagain.trace
	"$EAGAIN" record "$PROGRAMS/load" threads 3 2000
	run -0 "$EAGAIN" timeline
	ordered $'\nload threads 3 2000 (pid ' $'\n  tid ' $'\n  tid ' $'\n  tid ' '# runs'
}

@test "lanes: of many, 40 that waited most" {
	"$EAGAIN" record "$PROGRAMS/load" threads 50 10
	run -0 "$EAGAIN" timeline
	ordered '11 more threads waited less, not shown'
	[ "$(grep -Ec '^(load|  tid)' <<<"$output")" = 40 ]
}

@test "lanes by fd: under their processes" {
	"$EAGAIN" record bash -c '(sleep 0.2; echo one) | cat | tail -n 1' >/dev/null
	run -0 "$EAGAIN" timeline --by=fd
	ordered $'\ncat (pid ' $'\n  fd 0 pipe:[' rrr $'\ntail -n 1 (pid ' $'\n  fd 0 pipe:[' rrr 'r waits to read'
	"$EAGAIN" record true
	run -0 "$EAGAIN" timeline --by=fd
	[ "$output" = 'Nothing waited for an fd.' ]
	run -0 "$EAGAIN" timeline --by=thread
	ordered $'\ntrue (pid '
}

@test "lanes by fd: those that poll waited for" {
	"$EAGAIN" record bash -c '(sleep 0.2; echo one) | perl -e "vec(\$r, 0, 1) = 1; select \$r, undef, undef, undef"'
	run -0 "$EAGAIN" timeline --by=fd
	grep -Eq '^  fd 0 pipe:.*pp+[P+]' <<<"$output"
	"$EAGAIN" report --json | grep '"fd":0,' | grep -q '"wait_poll_ns":[1-9][0-9]*,"longest_wait_ns":[1-9]'
	run -0 "$EAGAIN" timeline
	grep -Eq '^perl .*pp+[P+]' <<<"$output"
}

@test "--readiness: what was ready and not taken, in the lane of its fd, and where its thread computed" {
	record_late fifo
	run -0 "$EAGAIN" timeline trace
	grep -Eq '^perl .*!!!+[^!s]*.?.?[sS]+' <<<"$output"
	ordered '! something is ready, and not taken'
	run -0 "$EAGAIN" timeline --by=fd trace
	grep -Eq '^  fd [0-9]+ .*!!!' <<<"$output"
	# No more from when it was taken to when it was written to again.
	taken=$(sed -n 's/^t=\([0-9.]*\) .*ev=call call=read .*fifo ret=1 .*/\1/p' log | head -n 1)
	again=$(awk -v taken="$taken" '{ t = substr($1, 3) } t > taken && /ev=call call=write .*fifo ret=1/ { print t; exit }' log)
	run -0 "$EAGAIN" timeline --by=fd --from="$taken" --to="$again" trace
	[[ $output != *'!!'* ]]
	"$EAGAIN" record true
	run -1 grep '!' <("$EAGAIN" timeline)
}

@test "a stretch of the trace: --from and --to" {
	local tenth=9 pid
	# 100 ms that begin when all have been waiting for as long, from a whole tenth of a second on.
	for _ in {1..20}; do
		"$EAGAIN" record bash -c '("$PROGRAMS/asleep"; sleep 1; echo one; sleep 0.3; echo two) | cat' >/dev/null
		pid=$("$EAGAIN" timeline | sed -n 's/^sleep 1 (pid \([0-9]*\)).*/\1/p')
		tenth=$("$EAGAIN" log | awk -v pid="pid=$pid" '$2 == pid && / call=[a-z_]*nanosleep / { print int(10 * substr($1, 3)) + 2; exit }')
		[ "$tenth" -ge 9 ] || break
	done
	run -0 "$EAGAIN" timeline --from="${tenth}00ms" --to="0.$((tenth + 1))"
	ordered " in all, shown ${tenth}00 ms to $((tenth + 1))00 ms, " "${tenth}00 ms " "${tenth}20 ms " '|---'
	# In it, all that is there waits, the second sleep is not there yet, and no wait ends.
	[ "$(grep -c '^[a-z].*(pid' <<<"$output")" = "$(grep -Ec '\) +(c+|r+|s+) *$' <<<"$output")" ]
	[ "$(grep -c '^sleep ' <<<"$output")" = 1 ]
	[[ $output != *capital* ]]
	# All units, and a part of a second, are the same moments.
	for range in "--from=0.${tenth}s --to=$((tenth + 1))00ms" "--from=${tenth}00000us --to=0.$((tenth + 1))00000000s" \
		"--from=${tenth}00000000ns --to=0.$((tenth + 1))000"; do
		# shellcheck disable=SC2086 # two words
		"$EAGAIN" timeline $range | diff - <(echo "$output")
	done
	# So close that a column is a nanosecond; labels stand apart.
	run -0 "$EAGAIN" timeline --from="${tenth}00000us" --to="${tenth}00000050ns"
	ordered " in all, shown ${tenth}00 ms to ${tenth}00.00005 ms, 1 ns a character" "${tenth}00 ms  " "${tenth}00.00002 ms  "
	# The end is the trace's.
	"$EAGAIN" timeline --to=1000000 | diff - <("$EAGAIN" timeline)
	run --separate-stderr -1 "$EAGAIN" timeline --from=100
	# shellcheck disable=SC2154 # stderr, stderr_lines: set by run
	[[ -z $output && $stderr == 'eagain: --from: 100 s: the trace ends at '* ]]
	for bad in '--from=x' '--from=' '--from=1m' '--from=-1' '--to=1e3' '--to=.5' '--from=9999999999' '--to=0' '--from=0.2 --to=0.2'; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr -2 "$EAGAIN" timeline $bad
		# shellcheck disable=SC2154
		[[ -z $output && ${#stderr_lines[@]} == 1 && $stderr == 'eagain: --'* ]] || { echo "$bad: $stderr"; false; }
	done
}

@test "a stretch of the trace: of many threads, those that waited most in it" {
	need_program python3
	# 45 threads wait one after the other, 10 ms each; and all of them at the end.
	"$EAGAIN" record python3 -c '
import os, threading, time
all, mine = os.pipe(), [os.pipe() for i in range(45)]
def wait(n):
    os.read(mine[n][0], 1)
threads = [threading.Thread(target=wait, args=(n,)) for n in range(45)]
for n in range(45):
    threads[n].start()
for n in range(45):
    time.sleep(0.002)
    os.write(mine[n][1], b"x")
    threads[n].join()
time.sleep(0.2)'
	run -0 "$EAGAIN" timeline
	ordered '6 more threads waited less, not shown'
	# At the end nobody is there but the main thread.
	end=$("$EAGAIN" log | sed -n 's/^t=\([0-9.]*\) .*ev=exit.*/\1/p' | tail -n 1)
	run -0 "$EAGAIN" timeline --from="$(awk -v end="$end" 'BEGIN { print end - 0.1 }')"
	[ "$(grep -Ec '^(python3|  tid)' <<<"$output")" = 1 ]
	[[ $output != *'not shown'* ]]
}

@test "some fds, some processes: --fd and --pid" {
	"$EAGAIN" record bash -c '(sleep 0.2; echo one) | cat | tail -n 1' >/dev/null
	pid=$("$EAGAIN" timeline | sed -n 's/^cat (pid \([0-9]*\)).*/\1/p')
	run -0 "$EAGAIN" timeline --pid="$pid"
	[ "$(grep -c '(pid' <<<"$output")" = 1 ]
	ordered "cat (pid $pid)" rrr
	run -0 "$EAGAIN" timeline --pid="1,$pid" --by=fd
	ordered "cat (pid $pid)" 'fd 0 pipe:['
	[[ $output != *tail* ]]
	run -0 "$EAGAIN" timeline --fd=0
	ordered 'cat (pid' 'fd 0 pipe:[' 'tail -n 1 (pid' 'fd 0 pipe:['
	run -0 "$EAGAIN" timeline --fd=7,8
	[ "$output" = 'Nothing of that is in the trace.' ]
	run -0 "$EAGAIN" timeline --pid=1
	[ "$output" = 'Nothing of that is in the trace.' ]
	# Of threads, only the waits for these.
	run -0 "$EAGAIN" timeline --fd=0 --by=thread
	ordered 'cat (pid' rrr
	run -1 grep -E 'sss|ccc' <<<"$output"
	for bad in '--fd=' '--fd=a' '--fd=1,' '--fd=,1' '--fd=1;2' '--fd=-1' '--pid=1,,2' '--pid=99999999999'; do
		run --separate-stderr -2 "$EAGAIN" timeline "$bad"
		[[ -z $output && ${#stderr_lines[@]} == 1 && $stderr == "eagain: ${bad%%=*}: "* ]] || { echo "$bad: $stderr"; false; }
	done
}

@test "memory: for what is shown, not for the waits that there are" {
	need_program python3
	"$EAGAIN" record python3 -c '
import os
there, back = os.pipe(), os.pipe()
if os.fork():
    for i in range(50000):
        os.write(there[1], b"x")
        os.read(back[0], 1)
else:
    for i in range(50000):
        os.read(there[0], 1)
        os.write(back[1], b"x")
    os._exit(0)
os.wait()'
	[ "$("$EAGAIN" log | grep -c ev=park)" -ge 40000 ]
	# So many KiB of memory that it asks for; the mapped trace does not count.
	(ulimit -d 2048 && "$EAGAIN" timeline)
}

@test "one operation: a read on a pipe" {
	"$EAGAIN" record bash -c '("$PROGRAMS/asleep"; echo one) | cat' >/dev/null
	run -0 env COLUMNS=80 "$EAGAIN" timeline --op "$(number call=read)"
	ordered ': read() on fd 0, pipe:[' 'by cat (pid ' 'returned 4 after ' 'RWF_NOWAIT: attempted first' \
		'User space' '(not to scale)' 'read() ' 'EWOULDBLOCK, kept from the program' 'returns 4' '==|==' \
		'parameters checked,' 'waiting in read()' 'no data' \
		'data arrives, data copied' 'Kernel space' 't0 ' t1 t2 t3 $'\nt0 ' 'read() called' $'\nt1 ' 'no data: EWOULDBLOCK' $'\nt2 ' \
		'parked in the plain read()' $'\nt3 ' 'ready, and read() returns 4'
	[[ $output != *t4* ]]
	"$EAGAIN" record --switch=flag bash -c '("$PROGRAMS/asleep"; echo one) | cat' >/dev/null
	run -0 env COLUMNS=80 "$EAGAIN" timeline --op "$(number call=read)"
	ordered 'returned 4 after ' 'O_NONBLOCK on the fd' 'ready: once' 'returns 4' 'waiting in ppoll()' 'data arrives' \
		$'\nt3 ' 'ready: data arrives' $'\nt4 ' 'read() returns 4'
}

@test "one operation: its texts stand apart, however narrow" {
	"$EAGAIN" record --switch=flag bash -c '("$PROGRAMS/asleep"; echo one) | cat' >/dev/null
	for width in 60 64 70 80 100; do
		COLUMNS=$width "$EAGAIN" timeline --op "$(number call=read)" | sed -n '/^User space/,/^Kernel space/p' | grep '[a-z]' >out
		# Two columns between words of neighbouring texts are too few; of one text, there is one.
		run -1 grep '[^ ]  [^ ]' out
		[ "$(tr -s "[:space:]" " " <out | grep -o "EWOULDBLOCK\|kept\|program" | sort -u | wc -l)" = 3 ]
		grep -Eq '^    parameters checked,   +waiting in( ppoll\(\))?   +data copied$' out
	done
}

@test "one operation: a large write that is parked several times" {
	"$EAGAIN" record bash -c 'dd if=/dev/zero bs=1000000 count=1 iflag=fullblock status=none |
		(for i in 1 2 3 4 5 6; do sleep 0.05; dd bs=65536 count=1 status=none; done; cat) >/dev/null'
	run -0 env COLUMNS=80 "$EAGAIN" timeline --op "$(number call=write)"
	ordered ': write() on fd 1, pipe:[' 'returned 1000000 after ' 'waiting in ppoll()' 'room is made' \
		'... and so on, ' ' times ...' returns 'data copied' 'room is made' $'\nt0 ' 'write() called: 1000000 bytes' \
		'no room: EWOULDBLOCK' 'with a part done' more 'write() returns 1000000'
	[ "$(grep -Ec '^t[0-9]+ +[0-9]' <<<"$output")" = 12 ]
}

@test "one operation: a guard asks, and the plain call waits" {
	mkfifo fifo
	exec 5<>fifo
	"$EAGAIN" record head -n 1 <&5 5>&- >/dev/null &
	pid=$!
	parked way=guard
	echo one >&5
	ends_with 0 $pid
	run -0 "$EAGAIN" timeline --op "$(number way=guard)"
	ordered /fifo 'guard: poll() asked first, then the plain call waited' 'poll(): not ready, so the plain call' 'poll() looks, no' \
		'waiting in read()' 'data arrives, data copied' 'no data, says poll()' 'ready, and read() returns 4'
	[[ $output != *EWOULDBLOCK* ]]
}

@test "one operation: never returned" {
	mkfifo fifo
	exec 5<>fifo
	"$EAGAIN" record bash -c 'cat <&0 5>&- & echo $! >child; wait' <&5 5>&- &
	pid=$!
	parked call=read
	kill -9 "$(cat child)"
	ends_with 0 $pid
	run -0 "$EAGAIN" timeline --op "$(number call=read)"
	ordered 'had not returned after ' 'waiting in read()' ' end' 'parked in the plain read()' \
		$'\nend ' 'killed, as its parent was told'
	"$EAGAIN" timeline | grep -Eq '^cat \(pid [0-9]+\) .*r$'
	rm -r eagain.trace
	"$EAGAIN" record cat <&5 5>&- &
	pid=$!
	parked call=read
	kill -9 $pid
	ends_with 137 $pid
	run -0 "$EAGAIN" timeline --op "$(number call=read)"
	ordered 'had not returned after ' 'waiting in read()' $'\nend ' 'no more is known'
}

@test "errors: one line each" {
	"$EAGAIN" record true
	run --separate-stderr -1 "$EAGAIN" timeline --op 99
	# shellcheck disable=SC2154 # stderr, stderr_lines: set by run
	[ -z "$output" ] && [ "${#stderr_lines[@]}" = 1 ] && [[ $stderr == 'eagain: --op 99: '* ]]
	for bad in 'timeline --op x' 'timeline --op=0' 'timeline --op -1' 'timeline --op 4294967296' 'timeline --op' \
		'timeline --by=colour' 'timeline a b' 'log --op=1' 'report --by=fd'; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr -2 "$EAGAIN" $bad
		[ -z "$output" ] && [ "${#stderr_lines[@]}" = 1 ] && [[ $stderr == 'eagain: '* ]]
	done
	run --separate-stderr -1 "$EAGAIN" timeline none
	[[ $stderr == 'eagain: none: '* ]]
}

@test "names that would do something to a terminal do not" {
	name=$'a\e[31mb\xc3\xa9\x9b2J\xe2\x80\xae.'
	mkfifo "$name"
	exec 5<>"$name"
	"$EAGAIN" record cat "$name" $'\e]0;x\a' 5>&- &
	pid=$!
	parked call=read
	kill -9 $pid
	ends_with 137 $pid
	for view in '' --by=fd "--op=$(number call=read)"; do
		# shellcheck disable=SC2086 # none, or one
		COLUMNS=160 "$EAGAIN" timeline $view >out
		plain out
	done
	grep -q 'a?\[31mb?2J?\.' out
}

@test "damaged traces never crash it" {
	"$EAGAIN" record -o good bash -c '(echo one; sleep 0.01; echo two) | cat | (read -r x; exec cat)' >/dev/null
	RANDOM=3
	for round in $(seq 60); do
		damage good bad
		for view in --by=thread --by=fd --op=1; do
			status=0
			COLUMNS=$((40 + RANDOM % 100)) timeout 20 "$EAGAIN" timeline $view bad >out 2>err || status=$?
			[ "$status" -le 1 ] || { echo "round $round $view: status $status"; cat err; false; }
		done
	done
}
