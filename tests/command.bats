# The command: its verbs and options, what it says when it cannot, and that the program's end is its own.

load helper

setup() {
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
}

# complains STATUS PATTERN CMD...: one line on stderr, "eagain: what: why", nothing on stdout.
complains() {
	local status=$1 pattern=$2
	shift 2
	run --separate-stderr -"$status" "$@" </dev/null
	# shellcheck disable=SC2154 # stderr, stderr_lines: set by run
	[ "${#stderr_lines[@]}" = 1 ] && [ -z "$output" ] && [[ $stderr == "eagain: "$pattern ]] || { echo "$stderr"; false; }
}

# verbs: the names of the table; settings: a line for each row: option, what follows it, variable, verbs; divided by ;.
verbs() {
	sed -n 's/^VERB([a-z]*, "\([A-Za-z]*\)".*/\1/p' "$TOP/tracer/verbs.def"
}

settings() {
	awk '/^SETTING\(/ { row = "" } { row = row $0 }
		/"\)$/ { split(row, s, "\""); print s[4] ";" (s[6] == "" ? "" : s[4] ~ /^--/ ? "=" : " ") s[6] ";" s[2] ";" s[10] }' \
		"$TOP/shim/settings.def"
}

# takes VERB VERBS: whether the list names it.
takes() {
	[[ ", $2, " == *", $1, "* ]]
}

@test "help and version" {
	run --separate-stderr -0 "$EAGAIN" --help
	[[ $output == usage:* ]]
	[ -n "$(settings)" ]
	while IFS=';' read -r option argument variable _; do
		[[ $output == *"  $option$argument"[[:space:]]* && $output == *"$variable"* ]] || { echo "not in --help: $option"; false; }
	done < <(settings)
	run -0 "$EAGAIN" -h
	[[ $output == usage:* ]]
	run -0 "$EAGAIN" --version
	[[ $output == "eagain "[0-9]* ]]
	run --separate-stderr -2 "$EAGAIN"
	[[ -z $output && $stderr == usage:* ]]
	complains 1 'output: No space left*' sh -c '"$EAGAIN" --help >/dev/full'
}

@test "help of a verb: its options, and no other; the same before and behind it" {
	for verb in $(verbs | grep -vx CMD); do
		"$EAGAIN" "$verb" --help >help
		"$EAGAIN" --help "$verb" | diff help -
		grep -q "^usage: eagain $verb " help
		while IFS=';' read -r option argument _ list; do
			! takes "$verb" "$list" || echo "$option$argument"
		done < <(settings) >expected
		sed -n 's/^  \(-[^ ]*\( [A-Z]\+\)\?\)\( .*\)\?$/\1/p' help | diff expected -
	done
}

@test "an option for another verb: one line, status 2" {
	while IFS=';' read -r option _ _ list; do
		[ "$list" = "" ] || for verb in ${list//,/}; do
			verbs | grep -qx "$verb" || { echo "no verb: $verb"; false; }
		done
		for verb in $(verbs); do
			all=$(settings | grep "^$option;" | cut -d';' -f4 | paste -sd, | sed 's/,\([^ ]\)/, \1/g')
			[ "$list" = "" ] || takes "$verb" "$all" || complains 2 "$option: only for eagain $all" "$EAGAIN" "$option=x" "${verb/CMD/true}"
		done
	done < <(settings)
	complains 2 '--json: only for eagain report' "$EAGAIN" log --json
	[ -z "$(ls -A)" ]
}

@test "the manual: every option, variable and verb of the tables, and no warning" {
	# Fonts and the backslashes before hyphens are not what is looked for.
	sed 's/\\f[BIR]//g; s/\\-/-/g' "$TOP/build/eagain.1" >text
	while IFS=';' read -r option argument variable _; do
		grep -qxF -- "$option$argument" text || { echo "not in the manual: $option"; false; }
		[ -z "$variable" ] || grep -q "^$variable=" text || { echo "not in the manual: $variable"; false; }
	done < <(settings)
	for verb in $(verbs | grep -vx CMD); do
		[ "$(grep -c "^eagain $verb \[" text)" = 2 ]
	done
	run -1 grep '^@\|@$' text
	if command -v man >/dev/null; then
		man --warnings -l "$TOP/build/eagain.1" 2>&1 >/dev/null | diff /dev/null -
	elif command -v groff >/dev/null; then
		groff -ww -man -Tascii "$TOP/build/eagain.1" 2>&1 >/dev/null | diff /dev/null -
	else
		skip "neither man nor groff is installed"
	fi
}

@test "options before and behind the verb and DIR, and behind CMD CMD's own" {
	"$EAGAIN" --max-size=1M record -o t true
	for order in 'report --json t' 'report t --json' '--json report t' 'report --json -- t'; do
		# shellcheck disable=SC2086 # several words
		"$EAGAIN" $order | grep -q '^{"version"' || { echo "$order"; false; }
	done
	"$EAGAIN" -o text log t
	"$EAGAIN" log t -o other
	diff text other
	complains 1 '--json: No such file*' "$EAGAIN" report -- --json
	run -0 "$EAGAIN" run echo -o x --json -- --no-such
	[ "$output" = '-o x --json -- --no-such' ]
	printf '#!/bin/sh\necho "a program: $*"\n' >record
	chmod +x record
	PATH=$PWD:$PATH run -0 "$EAGAIN" -o text -- record run
	[ "$output" = 'a program: run' ]
}

@test "variables: checked as options are, and an option wins" {
	complains 2 'EAGAIN_SWITCH: "maybe": must be one of auto|flag' env EAGAIN_SWITCH=maybe "$EAGAIN" run true
	complains 2 'EAGAIN_MAX_SIZE: "lots": must be a number*' env EAGAIN_MAX_SIZE=lots "$EAGAIN" true
	EAGAIN_MAX_SIZE=lots "$EAGAIN" record --max-size=1M true
	complains 2 'EAGAIN_COLOR: "red": must be one of auto|always|never' env EAGAIN_COLOR=red "$EAGAIN" report
	complains 2 '--color: "": must be one of auto|always|never' "$EAGAIN" report --color=
	EAGAIN_COLOR=no-color EAGAIN_SWITCH=maybe EAGAIN_LOG=log "$EAGAIN" check true
	[ "$(ls -A)" = eagain.trace ]
	# What an eagain around this one has left there is no mistake.
	run -0 "$EAGAIN" run --switch=flag "$EAGAIN" run sh -c 'exec "$EAGAIN" run echo inner'
	[ "$output" = inner ]
}

@test "bad options and values: one line, status 2" {
	complains 2 '--no-such: unknown option*' "$EAGAIN" --no-such true
	complains 2 '--switch: "maybe": must be one of auto|flag' "$EAGAIN" run --switch=maybe true
	complains 2 '--max-size: "lots": must be a number*' "$EAGAIN" record --max-size=lots true
	complains 2 '--max-size: "1": must be at least*' "$EAGAIN" record --max-size=1 true
	complains 2 '-o: needs a value*' "$EAGAIN" record -o
	complains 2 'nothing to run*' "$EAGAIN" record
	complains 2 'nothing to run*' "$EAGAIN" run --
	complains 2 'nothing to run*' "$EAGAIN" --no-follow
	complains 2 'nothing to run*' "$EAGAIN" check
	complains 2 '--no-such: unknown option; see eagain record --help' "$EAGAIN" record --no-such true
	complains 2 '--no-follow: takes no value' "$EAGAIN" record --no-follow=1 true
	complains 2 '--max-size: "9999999999": is too large' "$EAGAIN" record --max-size=9999999999 true
	complains 2 'b: one directory at a time' "$EAGAIN" log a b
	[ -z "$(ls -A)" ]
}

@test "a program that cannot be run: 127 and 126, as shells do" {
	complains 127 'no-such-program: *' "$EAGAIN" run no-such-program
	complains 127 './missing: *' "$EAGAIN" record ./missing
	echo text >not-executable
	complains 126 './not-executable: *' "$EAGAIN" run ./not-executable
	complains 126 '/: *' "$EAGAIN" /
	[ ! -e eagain.trace ]
}

@test "check: what would be run, and whether it can be preloaded" {
	run --separate-stderr -0 "$EAGAIN" check sh -c 'touch ran'
	[ "$output" = "$(type -P sh): can be preloaded" ] && [ -z "$stderr" ] && [ ! -e ran ]
	printf '#! /bin/sh -e\n' >script
	printf 'touch ran\n' >text
	chmod +x script text
	run -0 "$EAGAIN" check ./script
	[ "$output" = "./script, run by /bin/sh: can be preloaded" ]
	run -0 "$EAGAIN" check ./text
	[ "$output" = "./text, run by /bin/sh: can be preloaded" ]
	printf '#!/no/such\rthing\n' >script
	complains 127 './script: its interpreter /no/such?thing: No such file*' "$EAGAIN" check ./script
	complains 127 './script: its interpreter *' "$EAGAIN" record ./script
	complains 127 './missing: not found' "$EAGAIN" check ./missing
	complains 127 'missing: not found in PATH; see eagain --help' "$EAGAIN" check missing
	complains 126 '/: *' "$EAGAIN" check /
	[ ! -e ran ]
}

@test "check: another libc, no loader, 32 bits" {
	echo 'int main(void) { return 3; }' >p.c
	gcc -Wl,--dynamic-linker=/lib/ld-musl-none.so.1 -o musl p.c
	complains 126 './musl: built for musl*' "$EAGAIN" check ./musl
	complains 126 './musl: built for musl*' "$EAGAIN" ./musl
	gcc -Wl,--dynamic-linker=/no/loader -o loader p.c
	complains 127 './loader: its loader /no/loader: No such file*' "$EAGAIN" check ./loader
	gcc -o narrow p.c
	printf '\x01' | dd of=narrow bs=1 seek=4 conv=notrunc status=none
	complains 126 './narrow: a 32-bit program*' "$EAGAIN" check ./narrow
}

@test "static, setuid and foreign programs: said before they are started" {
	echo 'int main(void) { return 3; }' >p.c
	gcc -static -o static p.c || skip "no static libc"
	complains 126 './static: *static*' "$EAGAIN" run ./static
	complains 126 './static: *static*' "$EAGAIN" check ./static
	head -c 18 static >foreign
	printf '\xf7\x00' >>foreign
	tail -c +21 static >>foreign
	chmod +x foreign
	complains 126 './foreign: *' "$EAGAIN" run ./foreign
}

@test "setuid programs: said before they are started" {
	[ "$(id -u)" = 0 ] || skip "needs root to make one for another user"
	cp "$(type -P true)" setuid
	chown nobody setuid
	chmod 4755 setuid
	complains 126 './setuid: *set*' "$EAGAIN" run ./setuid
}

@test "a script runs by its interpreter, found in PATH or by name" {
	printf '#!/bin/sh\necho "$# $1"\nexit 4\n' >script
	chmod +x script
	run -4 "$EAGAIN" run ./script 'a b'
	[ "$output" = "1 a b" ]
	run -4 env PATH="$PWD:$PATH" "$EAGAIN" run script
}

@test "stdin, stdout and stderr are the program's" {
	run --separate-stderr -0 "$EAGAIN" run sh -c 'cat; echo err >&2' <<<'in'
	[ "$output" = in ] && [ "$stderr" = err ]
	run --separate-stderr -0 "$EAGAIN" sh -c 'cat; echo err >&2' <<<'in'
	[ "$output" = in ] && [[ $stderr == err*"process image"* ]]
}

@test "eagain CMD: the report goes to stderr, or to -o FILE; nothing else is left" {
	run --separate-stderr -5 env TMPDIR="$PWD" "$EAGAIN" -o report sh -c '"$PROGRAMS/asleep" | cat; exit 5'
	[ -z "$output$stderr" ]
	grep -q 'waited .* to read' report
	[ "$(ls -A)" = report ]
}

@test "record keeps the trace in eagain.trace, and an older one as .old" {
	"$EAGAIN" record true
	first=$(stat -c %i eagain.trace)
	[ "$(stat -c %a eagain.trace)" = 700 ]
	[ "$(stat -c %a eagain.trace/control)" = 600 ]
	"$EAGAIN" record true
	[ "$(stat -c %i eagain.trace.old)" = "$first" ]
	"$EAGAIN" record true
	[ "$(ls -A)" = "$(printf 'eagain.trace\neagain.trace.old')" ]
	mkdir mine && touch mine/file
	complains 1 'mine: exists and is not a trace*' "$EAGAIN" record -o mine true
	[ -e mine/file ]
	mv mine/file mine/control.txt
	complains 1 'mine: exists and is not a trace*' "$EAGAIN" record -o mine true
	rm mine/control.txt && mkdir mine/control.1
	complains 1 'mine: exists and is not a trace*' "$EAGAIN" record -o mine true
	rmdir mine/control.1 && touch mine/control.txt
	[ -e mine/control.txt ]
	complains 1 '/proc/trace: *' "$EAGAIN" record -o /proc/trace true
}

@test "records of a pipeline, whose traces have one name" {
	for _ in {1..50}; do
		run -0 bash -c '"$EAGAIN" record seq 1000 | "$EAGAIN" record cat | "$EAGAIN" record wc -l'
		[ "$output" = 1000 ] || { echo "$output"; false; }
		"$EAGAIN" log eagain.trace >/dev/null
	done
}

@test "record killed at each of its system calls: the next one goes on, and the last trace is kept" {
	need_program strace /usr/bin/python3
	local call n
	"$EAGAIN" record -o recorded true
	before() { rm -rf t t.old && cp -r recorded t && cp -r recorded t.old; }
	before
	strace -qq -o calls "$EAGAIN" record -o t true
	sed 's/(.*//' calls | awk '$1 != "execve" && $1 != "exit_group" { print $1, ++n[$1] }' >each
	grep -q 'linkat 1' each
	while read -r call n; do
		before
		run strace -qq -o end -e "inject=$call:signal=KILL:when=$n" "$EAGAIN" record -o t true
		[ "$status" = 137 ]
		cmp t/control recorded/control || cmp t.old/control recorded/control
		"$EAGAIN" record -o t true
		"$EAGAIN" record -o t true
		[ "$(ls -d t*)" = "$(printf 't\nt.old')" ]
	done <each
	# --readiness has its socket there before.
	rm -rf t t.old
	mkdir t
	/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("t/observer")'
	"$EAGAIN" record -o t true
	[ -S t.old/observer ]
}

@test "unreadable, foreign and newer traces: one line, status 1" {
	complains 1 'eagain.trace: No such file or directory: record one with eagain record*' "$EAGAIN" report
	complains 1 'none: *' "$EAGAIN" log none
	mkdir empty
	complains 1 'empty: *' "$EAGAIN" report empty
	"$EAGAIN" record -o t true
	cp -r t newer
	printf '\x63' | dd of=newer/control bs=1 seek=8 conv=notrunc status=none
	complains 1 'newer: *format 99*' "$EAGAIN" report newer
	cp -r t order
	printf '\x01\x02\x03\x04' | dd of=order/control bs=1 seek=12 conv=notrunc status=none
	complains 1 'order: *' "$EAGAIN" log order
	echo garbage >t/control
	complains 1 't: *' "$EAGAIN" log t
}

@test "process files that cannot be read: counted, and one line where there are no others" {
	"$EAGAIN" record -o t sh -c '(exit 3); (exit 4); true'
	set -- t/[0-9]*
	[ $# = 3 ]
	for size in 0 4096; do
		: >"$3"
		truncate -s $size "$3"
		"$EAGAIN" report t | grep -qx '1 process file could not be read: its process was killed as it began'
	done
	[ "$(id -u)" = 0 ] || { chmod 0 "$3"; "$EAGAIN" report t | grep -qx '1 process file could not be read: Permission denied'; }
	echo garbage | tee "$1" "$2" >"$3"
	complains 1 't: none of its 3 process files can be read: cut short' "$EAGAIN" report t
	complains 1 't: none of its 3 process files can be read: cut short' "$EAGAIN" log t
}

@test "a trace with a large hole is read without it" {
	"$EAGAIN" record -o t true
	"$EAGAIN" report t >before
	truncate -s 4T t/[0-9]* || skip "the file system has no files that large"
	timeout 20 "$EAGAIN" report t | diff before -
}

@test "a trace that is cut off anywhere in its first chunk is read as far as it goes" {
	"$EAGAIN" record -o t true
	for size in 4097 4159 4160 4161 4191 4192 4193 4224 4225; do
		cp -r t cut
		truncate -s $size cut/[0-9]*
		"$EAGAIN" report cut >/dev/null && "$EAGAIN" log cut >/dev/null || { echo "at $size"; false; }
		rm -r cut
	done
}

@test "damaged traces never crash the readers" {
	"$EAGAIN" record -o good sh -c 'sleep 0.01 | cat'
	RANDOM=2
	for round in $(seq 60); do
		damage good bad
		for verb in report log; do
			status=0
			timeout 20 "$EAGAIN" "$verb" bad >out 2>err || status=$?
			[ "$status" -le 1 ] || { echo "round $round $verb: status $status"; cat err; false; }
		done
	done
}

@test "records that make no sense: calls that there are not, a result that has no negation" {
	record_wait
	for kind in 1 2 3 4 5; do rewrite eagain.trace $kind 1 ff; done
	rewrite eagain.trace 5 16 0000000000000080
	"$EAGAIN" report
	"$EAGAIN" timeline --op=1 | grep -q 'returns -1 errno 9223372036854775808'
	"$EAGAIN" log | grep -q 'ev=return call=unknown .* ret=-1 errno=9223372036854775808 '
}

@test "exit status and death by signal: also where eagain stays as the parent" {
	for end in 0 3 255; do
		run -"$end" "$EAGAIN" -o report "$PROGRAMS/traps" end "$end"
	done
	for signal in 1 2 3 6 9 11 13 15; do
		run -$((128 + signal)) "$EAGAIN" -o report "$PROGRAMS/traps" end "-$signal"
	done
}

@test "signals to eagain reach the program, and its answer is eagain's" {
	mkfifo fifo
	"$EAGAIN" -o report sh -c 'trap "exit 9" TERM; exec 5<>fifo; echo $$ >&4; read -r _ <&5' 4>started &
	pid=$!
	until [ -s started ]; do kill -0 $pid; done
	"$PROGRAMS/asleep" "$(cat started)"
	kill -TERM $pid
	ends_with 9 $pid
}

@test "what lasts over an exec reaches the program also where eagain stays as the parent" {
	need_program setpriv
	setpriv --pdeathsig HUP setpriv --dump >native
	grep -q 'death signal: HUP' native
	for mode in parent.auto run.flag; do
		# GNU parallel, which runs this file beside others, ignores the signal.
		run -142 under inside.$mode env --default-signal=ALRM sh -c 'exec perl -e "alarm 1; exec @ARGV" $E sleep 10'
		under inside.$mode sh -c 'setpriv --pdeathsig HUP $E setpriv --dump' >here
		diff native here
	done
}

@test "odd surroundings: SIGCHLD ignored, a report that nobody reads, a directory with a slash, a name too long" {
	run -3 bash -c 'trap "" CHLD; exec "$EAGAIN" -o report sh -c "exit 3"'
	mkdir tmp
	[ "$( (TMPDIR=$PWD/tmp "$EAGAIN" sh -c 'sleep 0.1; exit 3' 2>&1 >/dev/null; echo "$?" >&3) 3>&1 >/dev/null | true; ls -A tmp)" = "" ]
	"$EAGAIN" record -o trace/ true
	"$EAGAIN" record -o trace/ true
	[ -e trace/control ] && [ -e trace.old/control ]
	complains 2 '--log: a name of * bytes is too long' "$EAGAIN" run --log="$(printf '%02000d' 0)" true
}

@test "run and record become the program: same pid, same parent" {
	run -0 "$EAGAIN" run sh -c 'echo $$ $PPID'
	read -r pid parent <<<"$output"
	[ "$pid" != "$parent" ]
	"$EAGAIN" record sh -c 'echo $$ >pid' &
	expected=$!
	wait $expected
	[ "$(cat pid)" = "$expected" ]
}

@test "job control: stopped and continued through the parent" {
	program='echo $$; read -r line; echo "$line" >&2; exit 6'
	"$PROGRAMS/traps" stop-and-continue sh -c "$program" >native 2>&1
	"$PROGRAMS/traps" stop-and-continue "$EAGAIN" -o report sh -c "$program" >here 2>&1
	diff native here
	[ "$(tail -n 1 here)" = 'exit 6' ]
}

@test "job control: continued with its group, the program stops again at once, and each time it counts" {
	program='for i in $(seq 300); do kill -TTIN $$; done'
	"$PROGRAMS/traps" stop-again sh -c "$program" >native
	"$PROGRAMS/traps" stop-again "$EAGAIN" -o report sh -c "$program" >here
	diff native here
	[ "$(cat here)" = 'stopped 300 times, then exit 0' ]
}

@test "LD_PRELOAD alone serves; with EAGAIN_TRACE it records; other preloads stay" {
	run -0 env LD_PRELOAD="$LIBRARY" sh -c 'echo "$LD_PRELOAD" | cat'
	[ "$output" = "$LIBRARY" ]
	env LD_PRELOAD="$LIBRARY" EAGAIN_TRACE=trace sh -c '"$PROGRAMS/asleep" | cat; cd /; "$PROGRAMS/asleep" | cat'
	[ "$("$EAGAIN" log trace | grep -c 'ev=EWOULDBLOCK call=read')" = 2 ]
	run --separate-stderr -0 env LD_PRELOAD="$PROGRAMS/early.so" "$EAGAIN" run sh -c 'echo "$LD_PRELOAD"'
	[[ $output == *libeagain.so*early.so* || $output == *early.so*libeagain.so* ]]
}

@test "the shim and its settings reach children that got another environment" {
	"$EAGAIN" record env -i "$(type -P sh)" -c "$PROGRAMS/asleep | $(type -P cat)"
	"$EAGAIN" report | grep -q 'cat (pid'
	"$EAGAIN" log | grep -q 'ev=EWOULDBLOCK call=read'
	rm -rf eagain.trace
	"$EAGAIN" record --no-follow sh -c '"$PROGRAMS/asleep" | cat; true'
	"$EAGAIN" report >report
	grep -q ' 1 process image' report
}

@test "EAGAIN_LOG writes the log while the program runs, to a file or to stderr" {
	env LD_PRELOAD="$LIBRARY" EAGAIN_LOG=log sh -c '"$PROGRAMS/asleep" | cat'
	grep -q 'ev=EWOULDBLOCK call=read fd=0' log
	run --separate-stderr -0 env LD_PRELOAD="$LIBRARY" EAGAIN_LOG=- sh -c '"$PROGRAMS/asleep" | cat'
	[[ $stderr == *'ev=EWOULDBLOCK call=read fd=0'* ]] && [ -z "$output" ]
	"$EAGAIN" run --log=other sh -c '"$PROGRAMS/asleep" | cat'
	grep -q 'ev=return call=read fd=0' other
}

@test "a log that cannot be written: said before the program is started, and nothing is left" {
	for verb in run record ''; do
		# shellcheck disable=SC2086 # eagain CMD has no verb
		complains 1 '--log: none/log: No such file or directory' "$EAGAIN" $verb --log=none/log touch started
	done
	complains 1 '--log: /: Is a directory' "$EAGAIN" run --log=/ touch started
	[ -z "$(ls -A)" ]
	mkfifo fifo
	cat fifo >log &
	"$EAGAIN" run --log=fifo sh -c 'exec 9>fifo; cat </dev/null'
	wait $!
	grep -q 'call=read fd=0' log
}

@test "the report: polls that ended with nothing ready, and how long they took; none where something was" {
	need_program perl python3
	"$EAGAIN" record perl -e 'pipe my $r, my $w; vec(my $set, fileno $r, 1) = 1; select my $copy = $set, undef, undef, 0.2;
		select undef, undef, undef, 0.1; if (!fork) { select undef, undef, undef, 0.2; syswrite $w, "x"; exit } select $set, undef, undef, 9'
	"$EAGAIN" report >report
	grep -Eqx '  polls that ended with nothing ready: 1, 0\.[2-9][0-9]* s in all' report
	"$EAGAIN" report --json | python3 -c '
import json, sys
polls = sorted((p["polls"]["vain"], p["polls"]["vain_ns"]) for p in json.load(sys.stdin)["processes"])
assert polls[0] == (0, 0) and polls[1][0] == 1 and polls[1][1] > 190e6, polls'
	"$EAGAIN" -o report python3 -c 'import select; select.epoll().poll(0.2)'
	grep -q '^  polls that ended with nothing ready: 1, ' report
}

@test "the log: every line has its keys, in order of time, and an operation goes its way" {
	"$EAGAIN" record sh -c '(echo one; "$PROGRAMS/asleep"; echo two) | while read -r x; do :; done'
	"$EAGAIN" log >log
	run -1 grep -vE '^t=[0-9]+\.[0-9]{9} pid=[0-9]+ tid=[0-9]+ op=([0-9]+|-) ev=[A-Za-z]+ call=[a-z0-9_-]+ fd=([0-9]+|-) name=("[^"]*"|[^ "=]+) ret=(-?[0-9]+|-) errno=([A-Z0-9]+|-)( [a-z]+=[^ ]+)*$' log
	sort -t= -k2,2 -s -c <(sed 's/^t=\([0-9.]*\) .*/t=\1/' log)
	pid=$(sed -n 's/.* pid=\([0-9]*\) .*ev=EWOULDBLOCK call=read.*/\1/p' log | tail -n 1)
	op=$(grep "pid=$pid " log | sed -n 's/.* op=\([0-9]*\) ev=EWOULDBLOCK.*/\1/p' | tail -n 1)
	[ "$(grep "pid=$pid .* op=$op " log | sed 's/.* ev=\([A-Za-z]*\) .*/\1/' | paste -sd' ')" = 'enter EWOULDBLOCK park ready return' ]
}

@test "the report: who waits for whom" {
	"$EAGAIN" -o report bash -c '(for i in 1 2 3; do echo $i; sleep 0.1; done) | cat | tail -n 1'
	grep -Eq '^    [0-9.]+ m?s  fd 0, pipe:\[[0-9]+\] <- bash -c .* \(pid [0-9]+\)$' report
	grep -Eq '^Bottleneck: bash -c .* \(pid [0-9]+\): others waited for it for [0-9]+ % of [0-9.]+ s;$' report
	tail -n 1 report | grep -Eq '^  in that time its children slept [0-9.]+ m?s.*: sleep 0\.1 \(3 processes\)\.$'
}

@test "the report: what accept returns is no bytes" {
	"$EAGAIN" record --log=live perl -MIO::Socket::UNIX -e '$l = IO::Socket::UNIX->new(Local => "s", Listen => 1);
		if (!fork) { 1 while system "grep", "-q", "ev=EWOULDBLOCK call=accept", "live"; IO::Socket::UNIX->new(Peer => "s"); exit }
		$l->accept; wait'
	"$EAGAIN" report --json >report.json
	grep '"name":"unix:s' report.json | grep '"would_block":1,' | grep -q '"bytes_read":0,'
}

@test "the report: a read that poll said would not block is no wait" {
	mkfifo fifo
	exec 5<>fifo
	echo one >&5
	"$EAGAIN" record head -n 1 <&5 5>&-
	"$EAGAIN" log | grep -q 'ev=call call=read fd=0 .* way=guard'
	"$EAGAIN" report >report
	run -1 grep 'to read' report
}

@test "the report: a program that a signal ended has waited until then" {
	mkfifo fifo
	exec 5<>fifo
	for signal in 2 9 15; do
		rm -f live
		# A shell's background job ignores SIGINT; bash -c "trap - INT" cannot take that back.
		perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$EAGAIN" --log=live -o report cat <&5 5>&- &
		pid=$!
		until grep -sq 'ev=park call=read' live; do kill -0 $pid; done
		kill -$signal "$(sed -n 's/.* pid=\([0-9]*\) .*ev=park.*/\1/p' live)"
		ends_with $((128 + signal)) $pid
		grep -q "^cat (pid .* in all, killed by signal $signal " report
		run -1 grep '^cat (pid .*: 0 in all' report
		grep -q 'still waiting at the end' report
		grep -q '^Where it waits: of .*, cat (pid [0-9]*) waited .* to read from .*/fifo, whose other end the trace does not show' report
	done
}

@test "signals while the report is written: it is finished, and the trace removed" {
	mkdir tmp
	mkfifo report
	exec 5<>report
	# No room for a report until it is read.
	perl -MFcntl -e 'open F, ">&=5"; fcntl F, F_SETFL, O_NONBLOCK | O_WRONLY; 1 while syswrite F, "\n" x 4096; fcntl F, F_SETFL, O_WRONLY'
	TMPDIR=$PWD/tmp "$EAGAIN" -o report sh -c 'echo >ended' 5>&- &
	pid=$!
	until [ -e ended ] && [ -z "$(cat /proc/$pid/task/$pid/children)" ]; do kill -0 $pid; done
	for signal in INT TERM HUP QUIT; do kill -$signal $pid; done
	grep -am 1 '^Where \|^Bottleneck: ' <&5
	ends_with 0 $pid
	[ -z "$(ls -A tmp)" ]
}

@test "a terminal that hangs up: its session's leader is told, and so is the program" {
	command -v script >/dev/null || skip "script is not installed"
	script -qc "exec '$EAGAIN' -o report sh -c 'trap \"echo >hup; exit\" HUP; echo \$\$ >program; mkfifo wait; read -r x <wait'" /dev/null </dev/null >/dev/null &
	pid=$!
	until [ -s program ] && [ -p wait ]; do kill -0 $pid; done
	"$PROGRAMS/asleep" "$(cat program)"
	kill -9 $pid
	ends_with 137 $pid
	while kill -0 "$(cat program)" 2>/dev/null; do :; done
	[ -e hup ]
}

@test "the report: a server that only waited for clients, or in epoll, did wait" {
	"$EAGAIN" -o report perl -MIO::Socket::UNIX -e '$l = IO::Socket::UNIX->new(Local => "s", Listen => 1);
		if (!fork) { system "$ENV{PROGRAMS}/asleep", getppid; IO::Socket::UNIX->new(Peer => "s"); exit } $l->accept; wait'
	grep -A 1 ' fd [0-9]*, unix:s$' report | grep -Eq '1 call, 1 would block, longest wait [0-9.]+ m?s'
	command -v python3 >/dev/null || skip "python3 is not installed"
	"$EAGAIN" -o report "$(python3 -c 'import sys; print(sys.executable)')" -c 'import select; select.epoll().poll(0.2)'
	grep -Eq '^Where .*: of .*, python3.* \(pid [0-9]+\) (.*, )?waited .* in poll, with nothing ready' report
}

@test "the report: the other end is the process's own" {
	need_program perl
	"$EAGAIN" -o report perl -MSocket -e 'pipe my $r, my $w; syswrite $w, "x"; sysread $r, $x, 1;
		socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, 0; syswrite $a, "x"; sysread $b, $x, 1; print STDERR fileno $_, "\n" for $r, $w, $a, $b' 2>fds
	mapfile -t fds <fds
	grep -q " fd ${fds[0]}, pipe:\[[0-9]*\] <- its own fd ${fds[1]}$" report
	grep -q " fd ${fds[1]}, pipe:\[[0-9]*\] -> its own fd ${fds[0]}$" report
	grep -q " fd ${fds[2]}, socket:\[[0-9]*\] -> its own fd ${fds[3]}$" report
	grep -q " fd ${fds[3]}, socket:\[[0-9]*\] <- its own fd ${fds[2]}$" report
}

@test "the report: 6 fds of a process, and how many more" {
	"$EAGAIN" -o report perl -e 'for (0 .. 8) { pipe my $r, my $w; push @all, $r, $w; syswrite $w, "x"; sysread $r, $x, 1 }'
	[ "$(grep -c ' fd [0-9]*, ' report)" = 6 ]
	grep -Eqx ' +and [0-9]+ more fds' report
}

@test "report --json: valid, with the keys that are promised, and the same numbers" {
	command -v python3 >/dev/null || skip "python3 is not installed"
	"$EAGAIN" record bash -c $'(printf "a\\tb"; "$PROGRAMS/asleep"; sleep 0.1; echo "\\"q\\"") | cat | cat >/dev/null'
	"$EAGAIN" report --json >report.json
	python3 - <<-'PYTHON'
		import json
		r = json.load(open("report.json"))
		assert {"version", "wall_ns", "events", "lost_events", "processes"} <= set(r)
		for p in r["processes"]:
		    assert {"pid", "ppid", "command", "exit_status", "signal", "start_ns", "wall_ns", "cpu_ns", "stalls", "threads", "fds"} <= set(p)
		    for t in p["threads"]:
		        assert {"tid", "name", "wall_ns", "cpu_ns", "wait_read_ns", "wait_write_ns", "wait_poll_ns", "wait_child_ns",
		                "wait_lock_ns", "sleep_ns", "else_ns"} <= set(t)
		    for f in p["fds"]:
		        assert {"fd", "kind", "name", "peer", "switched_by", "calls", "would_block", "bytes_read", "bytes_written",
		                "wait_read_ns", "wait_write_ns", "wait_poll_ns", "longest_wait_ns"} <= set(f)
		        assert f["switched_by"] in ("MSG_DONTWAIT", "RWF_NOWAIT", "guard", "O_NONBLOCK", "none")
		cats = [f for p in r["processes"] for f in p["fds"] if p["command"] == "cat" and f["kind"] == "pipe" and f["wait_read_ns"] > 5e7]
		assert len(cats) == 2 and any("cat (pid" in f["peer"] for f in cats)
		assert "(printf" in r["processes"][0]["command"]
	PYTHON
}

@test "names and commands: controls and what is no UTF-8 become ?, and a cut divides no character" {
	name=$'x\xc2\x9by\xffz\xe2\x80\xa6\xed\xa0\x80'
	echo >"$name"
	for argument in '' a aa; do
		"$EAGAIN" record --log=live sh -c 'read -r x <"$1"' sh "$name" "$argument$(printf '\xe2\x80\xa6%.0s' {1..60})"
		"$EAGAIN" report >report
		"$EAGAIN" report --json >report.json
		"$EAGAIN" log >log
		grep -qaF '...' report
		for file in report report.json log live; do
			iconv -f UTF-8 -t UTF-8 "$file" >/dev/null
			[ $file = report ] || grep -qaF $'x?y?z\xe2\x80\xa6?' $file
		done
	done
}

# escapes: whether there is one in what is read.
escapes() {
	grep -q $'\033'
}

# record_wait: a trace in which a read would block: its writer waits until the log says so.
record_wait() {
	"$EAGAIN" record --log=live sh -c '(until grep -sq "ev=EWOULDBLOCK call=read" live; do :; done; echo) | cat'
}

# terminal CMD: what a shell command writes on a terminal.
terminal() {
	TERM=${TERM_THERE-xterm} script -qec "$1" /dev/null </dev/null
}

@test "colour: none into a pipe or a file, always where it is asked for, JSON never" {
	record_wait
	for verb in report log; do
		run -1 escapes < <("$EAGAIN" "$verb")
		run -1 escapes < <("$EAGAIN" "$verb" --color=never)
		run -0 escapes < <("$EAGAIN" "$verb" --color=always)
		run -0 escapes < <(NO_COLOR=1 "$EAGAIN" "$verb" --color=always)
		run -0 escapes < <(EAGAIN_COLOR=always "$EAGAIN" "$verb")
		run -1 escapes < <(EAGAIN_COLOR=always "$EAGAIN" "$verb" --color=auto)
		# Without its colours it is the same text.
		"$EAGAIN" "$verb" --color=always | sed 's/\x1b\[[0-9]*m//g' | diff - <("$EAGAIN" "$verb")
	done
	run -1 escapes < <("$EAGAIN" report --json --color=always)
	"$EAGAIN" --color=always -o text sh -c 'echo "color ${EAGAIN_COLOR-unset}"' >out
	run -0 escapes <text
	grep -qx 'color unset' out
}

@test "colour on a terminal: unless NO_COLOR is set and not empty, or TERM is dumb or unknown" {
	command -v script >/dev/null || skip "script is not installed"
	record_wait
	for verb in report log; do
		run -0 escapes < <(terminal "'$EAGAIN' $verb")
		run -0 escapes < <(NO_COLOR='' terminal "'$EAGAIN' $verb")
		run -1 escapes < <(NO_COLOR=1 terminal "'$EAGAIN' $verb")
		run -1 escapes < <(EAGAIN_COLOR=never terminal "'$EAGAIN' $verb")
		run -1 escapes < <(TERM_THERE=dumb terminal "'$EAGAIN' $verb")
		run -1 escapes < <(terminal "'$EAGAIN' $verb -o text")
		run -1 escapes <text
	done
	run -1 escapes < <(terminal "'$EAGAIN' report --json")
	run -0 escapes < <(terminal "'$EAGAIN' true")
}

@test "installed: found in PREFIX, and gone after uninstall" {
	make -s -C "$TOP" install PREFIX="$PWD/usr" >/dev/null
	(PATH=$PWD/usr/bin:$PATH; eagain -o report sh -c 'sleep 0.01 | cat')
	grep -q 'cat (pid' report
	mkdir moved && make -s -C "$TOP" install PREFIX=/usr DESTDIR="$PWD/moved" >/dev/null
	[ -x moved/usr/bin/eagain ] && [ -e moved/usr/lib/eagain/libeagain.so ]
	diff "$TOP/build/eagain.1" moved/usr/share/man/man1/eagain.1
	make -s -C "$TOP" uninstall PREFIX="$PWD/usr" >/dev/null
	[ -z "$(find usr -type f)" ]
}

@test "the README shows --help as it is" {
	"$EAGAIN" --help | sed 's/^./    &/' >help
	awk 'NR == FNR { help = help $0 "\n"; next } { readme = readme $0 "\n" } END { exit !index(readme, help) }' help "$TOP/README.md"
}
