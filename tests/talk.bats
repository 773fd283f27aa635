# The talk's programs with slow input: natively and in each mode they do the same, and the log shows what the talk draws.

load helper

TALK=$TOP/tests/talk
RECORDED='record.auto record.flag'
# What the greeters are told, for drive.py: EXPECT and SEND by turns.  Each SEND is waited for.
GREETING=(: hell '' $'o\n' : $'a longer line\n' : $'exit\n')
TYPED=(: $'hello\n' : $'a longer line\n' : $'exit\n')
ANSWER=$':Hello [hello]\n:Hello [a longer line]\n:Goodbye'
# What the copier is told.  The last lines come in one piece, longer than its reads.
COPIED=('' $'one\n' $'one\n' $'two\n' $'two\n' $'more than twenty bytes,\nand two lines\n' $'two lines\n' '')

setup() {
	command -v python3 >/dev/null || skip "python3 is not installed"
	python=$(python3 -c 'import sys; print(sys.executable)')
	export PYTHONPATH=$TALK PYTHONDONTWRITEBYTECODE=1
}

# talk KIND [EXPECT SEND]... -- CMD...
talk() {
	same timeout 120 "$python" "$TALK/drive.py" "$@"
}

# ended STATUS STDOUT: how the last talk went.
ended() {
	[ "$(cat "$BATS_TEST_TMPDIR/native/status")" = "$1" ] && [ "$(cat "$BATS_TEST_TMPDIR/native/stdout")" = "$2" ]
}

# read_log MODE: the log of the last talk, in $all, and what the program did, in $log: it is the $pid that reads fd 0.
read_log() {
	all=$BATS_TEST_TMPDIR/all log=$BATS_TEST_TMPDIR/log
	"$EAGAIN" log "$BATS_TEST_TMPDIR/trace.$1" >"$all"
	pid=$(sed -n '/ call=read fd=0 /{s/.* pid=\([0-9]*\) .*/\1/p;q}' "$all")
	grep " pid=$pid " "$all" >"$log"
}

# count PATTERN FILE
count() {
	grep -cE "$1" "$2" || [ $? = 1 ]
}

# waited N: N reads of the program had to wait, each as the talk draws it, and it has seen none of their EWOULDBLOCKs.
waited() {
	local ways
	ways=$(awk '
		$4 != "op=-" { way[$4] = way[$4] " " substr($5, 4) }
		END { for (op in way) times[way[op]]++; for (each in times) print times[each] each }' "$log")
	[ "$ways" = "$1 enter EWOULDBLOCK park ready return" ] && [ "$(count asked= "$log")" = 0 ] || { grep ' fd=0 ' "$log"; false; }
}

# lateness: for each write into the pipe that is the program's fd 0, the time until a read had its first byte.
lateness() {
	awk '
		function value(key) { match($0, " " key "=[^ ]*"); return substr($0, RSTART + length(key) + 2, RLENGTH - length(key) - 2) }
		FNR == NR { if ($6 == "call=read" && $7 == "fd=0") { pipe = $8; pid = $2 } next }
		$8 != pipe || value("ret") <= 0 { next }
		$6 == "call=write" { sent += value("ret"); start[++writes] = substr($1, 3) }
		$6 == "call=read" && $2 == pid {
			end = substr($1, 3) + ($5 == "ev=call" ? value("dur") : 0)
			for (got += value("ret"); served < writes && got > before[served + 1]; ) printf "%.6f\n", end - start[++served]
		}
		{ before[writes + 1] = sent }
	' "$log" "$all"
}

# late N WHO: N writes were read, none before it was made; how late is told.
late() {
	lateness >"$BATS_TEST_TMPDIR/late"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/late")" = "$1" ]
	[ "$(count '^-' "$BATS_TEST_TMPDIR/late")" = 0 ]
	note "$2: seconds from a write to the read that got it: $(paste -sd' ' "$BATS_TEST_TMPDIR/late")"
}

# greets CMD...: a blocking greeter waits for each SEND.
greets() {
	local kind mode
	local -a script
	for kind in pipe socket terminal; do
		script=("${GREETING[@]}")
		[ $kind != terminal ] || script=("${TYPED[@]}")
		talk $kind "${script[@]}" -- "$@"
		ended 0 "$ANSWER"
		for mode in $RECORDED; do
			read_log "$mode"
			waited $((${#script[@]} / 2))
		done
	done
}

@test "blocking: each wait is enter, EWOULDBLOCK, park, ready, return" {
	greets "$python" "$TALK/blocking.py"
}

@test "blocking, in C: the same" {
	greets "$PROGRAMS/echo"
}

@test "blocking: the end of the input" {
	for kind in pipe socket terminal; do
		talk $kind : $'again\n' : '' -- "$python" "$TALK/blocking.py"
		ended 0 $':Hello [again]\n:'
		for mode in $RECORDED; do
			read_log "$mode"
			waited 2
		done
	done
}

@test "blocking, in C: all that it did, and nothing else" {
	talk pipe : hell '' $'o\n' : $'exit\n' -- "$PROGRAMS/echo"
	for mode in $RECORDED; do
		read_log "$mode"
		sed -n 's/.* ev=\([A-Za-z]*\) call=\([a-z]*\) fd=\([0-9]\) .* ret=\([-0-9]*\) .*/\1 \2 \3 \4/p' "$log" >"$BATS_TEST_TMPDIR/did"
		diff - "$BATS_TEST_TMPDIR/did" <<-'END'
			call write 1 1
			enter read 0 -
			EWOULDBLOCK read 0 -1
			park read 0 -
			ready read 0 -
			return read 0 4
			enter read 0 -
			EWOULDBLOCK read 0 -1
			park read 0 -
			ready read 0 -
			return read 0 2
			call write 1 14
			call write 1 1
			enter read 0 -
			EWOULDBLOCK read 0 -1
			park read 0 -
			ready read 0 -
			return read 0 4
			call read 0 1
			call write 1 8
		END
	done
}

@test "non-blocking, first: it dies of its EWOULDBLOCK, natively and here" {
	for kind in pipe socket terminal; do
		talk $kind -- "$python" "$TALK/nonblocking1.py" 0
		ended 1 :
		# Nobody restores the flag.
		[ "$(tail -n 2 "$BATS_TEST_TMPDIR/native/stderr")" = \
			$'BlockingIOError: [Errno 11] Resource temporarily unavailable\nleft non-blocking' ]
		for mode in $RECORDED; do
			read_log "$mode"
			[ "$(count ev=EWOULDBLOCK "$log")" = 1 ]
			grep -q 'ev=EWOULDBLOCK call=read fd=0 .* asked=program' "$log"
			tail -n 1 "$log" | grep -q 'ev=exit .* ret=1 '
		done
	done
}

@test "non-blocking, first: it lives where the input is there in time" {
	same sh -c 'mkfifo f; exec 3<>f <f; rm f; printf "you\nexit\n" >&3; exec "$@"' sh "$python" "$TALK/nonblocking1.py" 0
	ended 0 $':Hello [you]\n:Goodbye'
	for mode in $RECORDED; do
		read_log "$mode"
		[ "$(count ev=EWOULDBLOCK "$log")" = 0 ]
	done
}

@test "non-blocking, first: with --shield=all it lives, as the blocking one" {
	for kind in pipe socket terminal; do
		script=("${GREETING[@]}")
		[ $kind != terminal ] || script=("${TYPED[@]}")
		for mode in $MODES; do
			EAGAIN_SHIELD=all observe "$mode" timeout 120 "$python" "$TALK/drive.py" $kind "${script[@]}" -- \
				"$python" "$TALK/nonblocking1.py" 0
			[ "$(cat "$BATS_TEST_TMPDIR/$mode/stdout")" = "$ANSWER" ]
			[ "$(cat "$BATS_TEST_TMPDIR/$mode/stderr")" = 'left non-blocking' ]
			[ "$(cat "$BATS_TEST_TMPDIR/$mode/status")" = 0 ]
		done
		for mode in $RECORDED; do
			read_log "$mode"
			waited $((${#script[@]} / 2))
			[ "$(count 'ev=return call=read fd=0 .* shield=yes' "$log")" = $((${#script[@]} / 2)) ]
		done
	done
}

@test "non-blocking, second: it sleeps once for each EWOULDBLOCK, and is late" {
	for kind in pipe socket terminal; do
		script=("${GREETING[@]}")
		[ $kind != terminal ] || script=("${TYPED[@]}")
		talk $kind "${script[@]}" -- "$python" "$TALK/nonblocking2.py" 0.05
		ended 0 "$ANSWER"
		[ ! -s "$BATS_TEST_TMPDIR/native/stderr" ]
		for mode in $RECORDED; do
			read_log "$mode"
			refused=$(count 'ev=EWOULDBLOCK call=read fd=0 .* asked=program' "$log")
			[ "$refused" -ge $((${#script[@]} / 2)) ]
			[ "$refused" = "$(count ev=EWOULDBLOCK "$log")" ]
			[ "$refused" = "$(count 'call=(clock_nanosleep|nanosleep|select) ' "$log")" ]
		done
	done
}

@test "non-blocking, second: how late it is, next to the blocking one" {
	talk pipe "${GREETING[@]}" -- "$python" "$TALK/nonblocking2.py" 0.05
	read_log record.auto
	late 4 'asleep for 0.05 s'
	talk pipe "${GREETING[@]}" -- "$python" "$TALK/blocking.py"
	read_log record.auto
	late 4 'blocking'
}

@test "multiplexed: it waits in poll alone, and meets no EWOULDBLOCK" {
	for kind in pipe socket terminal; do
		talk $kind "${COPIED[@]}" -- "$python" "$TALK/buffered.py"
		ended 0 $'one\ntwo\nmore than twenty bytes,\nand two lines'
		[ ! -s "$BATS_TEST_TMPDIR/native/stderr" ]
		for mode in $RECORDED; do
			read_log "$mode"
			[ "$(count ev=EWOULDBLOCK "$log")" = 0 ]
			# Each read of its input, and each write, was told of by a poll of its own.
			awk '
				$5 == "ev=ready" && $6 == "call=poll" { ready[$7]++ }
				$5 == "ev=call" && ($6 $7 == "call=readfd=0" || $6 $7 == "call=writefd=1") { calls++; if (ready[$7]-- < 1) bad++ }
				END { exit bad || calls < 10 }' "$log"
			"$EAGAIN" report "$BATS_TEST_TMPDIR/trace.$mode" | grep -A 1 "(pid $pid): .* in all" | grep 'waited .* in poll'
		done
	done
}

@test "multiplexed: two fds of one terminal: its flags are left as natively" {
	talk terminal -- "$python" -c 'from nonblockio import iomanager as m
m.register(0, "read", None); m.register(1, "write", None)
m.unregister(0, "read"); m.unregister(1, "write")'
	[ "$(cat "$BATS_TEST_TMPDIR/native/stderr")" = 'left non-blocking' ]
}
