# --readiness: when sockets and pipes became ready, and how long it took until the program took it; and that the program does not
# notice.

load helper

both='readiness.auto readiness.flag'

setup() {
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
}

# watch ARGUMENT...: the program of that name, recorded.  Its own session: it may end its process group.
watch() {
	setsid -w "$EAGAIN" record --readiness -o trace timeout 60 "$PROGRAMS/readiness" "$@"
}

# entries: a line for each direction of each fd: fd, kind, name without blanks, read or write, services, known, p50 and longest in ms.
entries() {
	"$EAGAIN" report --json trace | grep -o '{"fd":[0-9]*,"kind":"[a-z]*","name":"[^"]*","later_fds":[^[]*' | sed 's/ //g; s/null/0/g' |
		awk -F'[:,]' '{ gsub(/"/, "")
			match($0, /name:.*,later_fds/); name = substr($0, RSTART + 5, RLENGTH - 15)
			match($0, /,for:.*/); split(substr($0, RSTART + 1), f, /[:,]/)
			for (i = 1; f[i] != ""; i += 2) v[f[i]] = f[i + 1]
			print $2, $4, name, v["for"], v["services"], v["known"], v["p50_ns"] / 1e6, v["max_ns"] / 1e6 }'
}

# late PATTERN [COUNT]: an entry of that kind was known as often at least, and took between 30 ms and 10 s.
late() {
	entries | tee entries
	awk -v pattern="$1" -v count="${2:-1}" '$0 ~ pattern && $6 >= count && $8 >= 30 && $8 < 10000 { found = 1 } END { exit !found }' entries
}

# until_late PATTERN CMD...: CMD records, and such an entry is late.  Where the machine is busy the observer may come too late itself: then once more.
until_late() {
	local pattern=$1
	shift
	for _ in 1 2 3 4 5 6; do
		rm -rf trace
		"$@"
		! late "$pattern" >/dev/null || return 0
	done
	entries
	return 1
}

# watch_late ARGUMENT KIND: `readiness late ARGUMENT`, whose lateness is known.  Where the machine is busy the observer may come too late itself,
# and then says so: once more.
watch_late() {
	for _ in 1 2 3 4 5 6; do
		rm -rf trace
		watch late "$1"
		! late " $2 .* read 4 " 3 >/dev/null || return 0
	done
	entries
	return 1
}

@test "served late, since it computed: pipe, unix and TCP socket" {
	for kind in pipe unix tcp; do
		watch_late $kind '.*'
	done
}

@test "served late, since it slept, or waited for something else" {
	for cause in compute sleep blocked; do
		until_late ' pipe .* read 4 ' watch cause $cause
	done
}

@test "a FIFO that is opened by its path is watched from then on, before it is used" {
	mkfifo fifo
	"$EAGAIN" record --readiness -o trace python3 -c '
import os
reader, writer = os.open("fifo", os.O_RDWR | os.O_NONBLOCK), os.open("fifo", os.O_WRONLY)
os.write(writer, b"x")
os.read(reader, 1)'
	"$EAGAIN" log trace | grep "name=$PWD/fifo" | tee lines >&2
	awk '/ev=watch/ { watched = 1 } /call=write/ { exit !watched }' lines
}

@test "a program that polls serves far sooner, or before anybody can see it" {
	for kind in pipe unix tcp; do
		watch prompt $kind
		entries | tee entries
		awk '$5 == 40 { found = 1; bad = $6 >= 20 && $7 >= 30 } END { exit !found || bad }' entries
	done
}

@test "room to write that was not used: pipe, unix and TCP socket" {
	for kind in pipe unix tcp; do
		run -143 watch write $kind
		late ' write [12] '
	done
}

watch_stdin() {
	(sleep 0.1; echo hello) | watch stdin
}

@test "connections that nobody accepts; a child; stdin; over an exec" {
	until_late ' stream tcp127.0.0.1:[0-9]* read 4 ' watch accept
	until_late ' pipe .* read 5 ' watch fork
	until_late '^0 pipe .* read 1 ' watch_stdin
	until_late '^0 stream .* read 1 ' watch exec
}

@test "threads, and a child that a thread has made" {
	until_late ' stream .* read 4 ' watch threads
	until_late ' stream .* read 1 ' watch threads
}

@test "nothing is kept open: a reader sees the end when its writer closes" {
	for kind in pipe unix tcp; do
		run -0 watch eof $kind
		[ "$output" = 'the reader ended with 7' ]
	done
	mkfifo fifo end
	"$EAGAIN" record --readiness -o trace sh -c 'exec 1>&- 5>&-; read -r x <fifo' >end 5>&1 3>&- 4>&- &
	pid=$!
	cat end
	echo >fifo
	ends_with 0 $pid
}

@test "what another has taken, and what another number meant, is nobody's delay" {
	for what in shared reuse unseen; do
		watch $what
		entries | tee entries
		awk '/ pipe .* read / { found = 1; bad = bad || $8 >= 250 } END { exit !found || bad }' entries
	done
}

@test "numbers, closing all, few descriptors: as natively, and it goes on" {
	for what in close-all numbers limit files; do
		MODES=$both same timeout 60 "$PROGRAMS/readiness" $what
		case $what in limit | files) continue ;; esac
		rm -rf trace
		cp -r "$BATS_TEST_TMPDIR/trace.readiness.auto" trace
		late ' pipe .* read 4 '
	done
}

@test "traps do what they do natively" {
	for trap in kept-numbers kept-children dup2-everywhere few-fds fork-chain spawn-forms vfork-child vfork-and-dup2 daemons \
		sandboxes shared-by-fork asynchronous passed-on closed-while-waiting storm many-acceptors; do
		MODES=$both same timeout 120 "$PROGRAMS/traps" $trap
	done
	"$EAGAIN" log "$BATS_TEST_TMPDIR/trace.readiness.auto" | grep -q ' ev=watch '
}

@test "cells of the matrix do what they do natively" {
	for cells in /transfer/pipe/in/read_8 /transfer/unix-stream/in/recv_10 /message/udp/in/recvmsg_ /poll/tcp-listener/; do
		MODES=readiness.auto same "$PROGRAMS/matrix" run $cells
		[ -s "$BATS_TEST_TMPDIR/native/stdout" ]
	done
	"$EAGAIN" log "$BATS_TEST_TMPDIR/trace.readiness.auto" | grep -q ' ev=watch '
}

@test "the log: what is watched, and when it was ready, in order" {
	watch_late pipe pipe
	"$EAGAIN" log trace >log
	run -1 grep -vE '^t=[0-9]+\.[0-9]{9} pid=[0-9]+ tid=[0-9]+ op=([0-9]+|-) ev=[A-Za-z]+ call=[a-z0-9_-]+ fd=([0-9]+|-) name=("[^"]*"|[^ "=]+) ret=(-?[0-9]+|-) errno=([A-Z0-9]+|-)( [a-z]+=[^ ]+)*$' log
	sort -t= -k2,2 -s -c <(sed 's/^t=\([0-9.]*\) .*/t=\1/' log)
	# Not of stdin, which may be a pipe, too.
	fd=$(awk '$2 == "pipe" && $4 == "read" && $5 == 4 { print $1 }' entries)
	pid=$(sed -n "s/.* pid=\([0-9]*\) .*ev=edge call=- fd=$fd name=pipe.*/\1/p" log | head -n 1)
	events=$(grep " pid=$pid " log | grep " fd=$fd " | sed 's/.* ev=\([A-Za-z]*\) .*/\1/' | paste -sd' ')
	echo "$events"
	[[ $events == 'fd watch '*'edge call edge call'* ]]
	run -143 watch write pipe
	"$EAGAIN" log trace | grep -q ' ev=watch call=- fd=[0-9]* name=pipe.* for=read,write$'
	"$EAGAIN" log trace | grep -q ' ev=edge call=- fd=[0-9]* name=pipe.* for=write'
}

@test "the report: a section, by who waited longest; JSON, with what is known" {
	watch_late tcp stream
	"$EAGAIN" report trace >report
	grep -A 2 -E '^ +[0-9.]+ m?s  readiness late tcp \(pid [0-9]+\), fd [0-9]+, tcp 127\.0\.0\.1:[0-9]+->127\.0\.0\.1:[0-9]+$' report >section
	sed -n 2p section | grep -Eq '^ +read 4 times, known of [34]: 50% within [0-9.]+ m?s, 90% [0-9.]+ m?s, 99% [0-9.]+ m?s$'
	sed -n 3p section | grep -Eq '^ +longest: [0-9.]+ m?s at [0-9.]+ m?s \(thread [0-9]+\), '
	"$EAGAIN" record -o without sh -c 'echo | cat'
	grep -q '^How long what was ready waited to be taken$' report
	run -1 grep 'How long what was ready' <("$EAGAIN" report without)
	run -1 grep ' ev=watch\| ev=edge' <("$EAGAIN" log without)
	"$EAGAIN" report --json without | grep -q '"readiness":null'
	command -v python3 >/dev/null || skip "python3 is not installed"
	"$EAGAIN" report --json trace >report.json
	python3 - <<-'PYTHON'
		import json
		rows = [row for p in json.load(open("report.json"))["processes"] for row in p["readiness"]]
		for row in rows:
		    assert {"fd", "kind", "name", "later_fds", "for", "services", "known", "found_late", "p50_ns", "p90_ns", "p99_ns", "max_ns",
		            "sum_ns", "unserved_ns", "worst"} <= set(row)
		    assert row["known"] <= row["services"] and row["found_late"] <= row["known"] and len(row["worst"]) <= 3
		    assert not row["known"] or row["p50_ns"] <= row["p90_ns"] <= row["p99_ns"] <= row["max_ns"] <= row["sum_ns"]
		    assert [w["ns"] for w in row["worst"]] == sorted((w["ns"] for w in row["worst"]), reverse=True)
		    assert not row["worst"] or row["worst"][0]["ns"] == row["max_ns"]
		assert any(row["max_ns"] > 3e7 and row["worst"][0]["tid"] > 0 for row in rows)
	PYTHON
}

# observers_of PID: those that an eagain has started.
observers_of() {
	pgrep -P "$1" -x eagain-observer
}

@test "eagain CMD --readiness: in its report; no trace and no observer are left" {
	mkdir tmp
	TMPDIR=$PWD/tmp "$EAGAIN" --readiness -o report "$PROGRAMS/readiness" late pipe &
	pid=$!
	until observer=$(observers_of $pid); do kill -0 $pid; done
	ends_with 0 $pid
	grep -q '^How long what was ready' report
	[ -z "$(ls -A tmp)" ]
	run -1 kill -0 "$observer"
}

@test "the observer is killed, or stopped: the program goes on, and so does eagain" {
	mkfifo fifo
	for signal in KILL STOP; do
		"$EAGAIN" record --readiness -o trace sh -c 'read -r x <fifo; echo "$x" | cat; exit 5' >out &
		pid=$!
		until observer=$(observers_of $pid); do kill -0 $pid; done
		kill -$signal "$observer"
		echo "after $signal" >fifo
		ends_with 5 $pid
		[ "$(cat out)" = "after $signal" ]
		kill -KILL "$observer" 2>/dev/null || [ $signal = KILL ]
		"$EAGAIN" report trace >/dev/null
	done
}

leave_behind() {
	"$EAGAIN" record --readiness -o trace sh -c '"$PROGRAMS/readiness" stdin <fifo & echo $! >pid' 3>&- 4>&-
	kill -0 "$(cat pid)"
	[ -S trace/observer ]
	echo >&5
	while kill -0 "$(cat pid)" 2>/dev/null; do :; done
	while [ -e trace/observer ]; do :; done
}

@test "what the program leaves behind is observed to its end, and then nobody is left" {
	mkfifo fifo
	exec 5<>fifo
	until_late '^0 fifo .* read 1 ' leave_behind
}

@test "without an observer nothing is watched" {
	env LD_PRELOAD="$LIBRARY" EAGAIN_TRACE=trace EAGAIN_READINESS=1 sh -c 'echo hello | cat' >out
	[ "$(cat out)" = hello ]
	run -1 grep ' ev=watch' <("$EAGAIN" log trace)
	EAGAIN_READINESS=1 "$EAGAIN" record -o trace sh -c 'echo hello | cat'
	"$EAGAIN" log trace | grep -q ' ev=watch'
	EAGAIN_READINESS=0 "$EAGAIN" record -o trace sh -c 'echo hello | cat'
	run -1 grep ' ev=watch' <("$EAGAIN" log trace)
}

@test "exit status, signals and job control: the program's own" {
	for end in 0 3 255; do
		run -"$end" "$EAGAIN" record --readiness -o trace "$PROGRAMS/traps" end "$end"
	done
	for signal in 1 2 3 6 9 11 13 15; do
		run -$((128 + signal)) "$EAGAIN" record --readiness -o trace "$PROGRAMS/traps" end "-$signal"
	done
	mkfifo fifo
	"$EAGAIN" record --readiness -o trace sh -c 'trap "exit 9" TERM; exec 5<>fifo; echo ready >&4; read -r _ <&5' 4>started &
	pid=$!
	until [ -s started ]; do kill -0 $pid; done
	"$PROGRAMS/asleep" $pid
	kill -TERM $pid
	ends_with 9 $pid
	program='echo $$; read -r line; echo "$line" >&2; exit 6'
	"$PROGRAMS/traps" stop-and-continue sh -c "$program" >native 2>&1
	"$PROGRAMS/traps" stop-and-continue "$EAGAIN" record --readiness -o trace sh -c "$program" >here 2>&1
	diff native here
	complains 1 '/proc/trace: *' "$EAGAIN" record --readiness -o /proc/trace true
}

# complains STATUS PATTERN CMD...: one line on stderr.
complains() {
	local status=$1 pattern=$2
	shift 2
	run --separate-stderr -"$status" "$@" </dev/null
	# shellcheck disable=SC2154 # stderr, stderr_lines: set by run
	[ "${#stderr_lines[@]}" = 1 ] && [[ $stderr == "eagain: "$pattern ]] || { echo "$stderr"; false; }
}

@test "--max-size holds for what the observer writes, too" {
	"$EAGAIN" record --readiness --max-size=256K -o trace perl -e '
		pipe my $r, my $w;
		if (fork) { close $r; for (1 .. 12000) { syswrite $w, "x"; select undef, undef, undef, 0.0001 unless $_ % 4 } exit }
		close $w; 1 while sysread $r, $x, 1'
	[ "$(find trace -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')" -le 262144 ]
	"$EAGAIN" report trace >/dev/null
}

@test "never taken: until its process ends, over an exec, and not only until a child that had it, too" {
	mkfifo fifo
	"$EAGAIN" record --readiness -o trace sh -c 'until [ -e go1 ]; do sleep 0.02; done
		exec sh -c ": >second; until [ -e go2 ]; do sleep 0.02; done"' <>fifo &
	pid=$!
	echo x >fifo
	until "$EAGAIN" log trace 2>/dev/null | grep -q 'ev=edge .*for=read'; do
		kill -0 $pid
	done
	: >go1
	until [ -e second ]; do kill -0 $pid; done
	# For so long nobody takes it.
	sleep 0.1
	: >go2
	ends_with 0 $pid
	"$EAGAIN" timeline --by=fd trace | grep '^  fd 0 .*!' >lanes
	cat lanes
	[ "$(wc -l <lanes)" = 2 ]
	sed -n 1p lanes | grep -Eq '^  fd 0 [^ ]+ +-*!+ *$'
	sed -n 2p lanes | grep -Eq '^  fd 0 [^ ]+ +[!-]?!+$'
	[ "$("$EAGAIN" report trace | grep -c 'ready for .* at the end, and not read')" = 2 ]
}

@test "damaged traces never crash the readers, nor do edges of what there is not" {
	watch late tcp >/dev/null
	RANDOM=3
	for round in $(seq 40); do
		damage trace bad
		for verb in 'report' 'report --json' 'log' 'timeline --by=fd' 'export html' 'export svg'; do
			status=0
			# shellcheck disable=SC2086 # several words
			timeout 20 "$EAGAIN" $verb bad >out 2>err || status=$?
			[ "$status" -le 1 ] || { echo "round $round $verb: status $status"; cat err; false; }
		done
	done
	# The kinds of WATCH and EDGE, their fds, their processes.
	for kind in WATCH EDGE; do rewrite trace "$(kind_of $kind)" 4 ffffff7f; done
	"$EAGAIN" report trace >/dev/null
	rewrite trace "$(kind_of EDGE)" 16 ffffffffffffffff
	run -1 grep ' ev=edge ' <("$EAGAIN" log trace)
	"$EAGAIN" report trace >/dev/null
}
