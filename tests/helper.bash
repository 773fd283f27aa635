# helper.bash - what the tests share: the modes, and the comparison with the native run.

bats_require_minimum_version 1.5.0
export LC_ALL=C
TOP=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
EAGAIN=$TOP/build/eagain
LIBRARY=$TOP/build/libeagain.so
PROGRAMS=$TOP/build/tests
MODES='run.auto run.flag record.auto record.flag'
unset EAGAIN_TRACE EAGAIN_LOG EAGAIN_SWITCH EAGAIN_SHIELD EAGAIN_MAX_SIZE EAGAIN_FOLLOW EAGAIN_STALL EAGAIN_STACKS EAGAIN_FILES EAGAIN_AIO EAGAIN_COLOR NO_COLOR LD_PRELOAD
SESSION=$TOP/tests/session.bash
export EAGAIN LIBRARY PROGRAMS SESSION

# under MODE CMD...: CMD natively ("native") or under eagain; a trace goes beside the working directory.  "parent": eagain stays
# as the parent; "inside": CMD itself runs natively, and starts what $E stands before.
under() {
	set_prefix "$1"
	shift
	"${prefix[@]}" "$@"
}

set_prefix() {
	case $1 in
	native) prefix=() ;;
	run.*) prefix=("$EAGAIN" run --switch="${1#*.}" --) ;;
	record.*) prefix=("$EAGAIN" record --switch="${1#*.}" -o "$BATS_TEST_TMPDIR/trace.$1" --) ;;
	readiness.*) prefix=("$EAGAIN" record --readiness --switch="${1#*.}" -o "$BATS_TEST_TMPDIR/trace.$1" --) ;;
	files.*) prefix=("$EAGAIN" record --files --switch="${1#*.}" -o "$BATS_TEST_TMPDIR/trace.$1" --) ;;
	parent.*) prefix=("$EAGAIN" --switch="${1#*.}" -o "$BATS_TEST_TMPDIR/report.$1" --) ;;
	inside.*)
		set_prefix "${1#*.}"
		prefix=(env "E=${prefix[*]}")
		;;
	esac
}

# observe MODE CMD...: runs CMD in an empty directory, and keeps beside it all that can be seen of it: stdout, stderr, the exit
# status as a shell sees it, and the files it left.  Its stdin is $INPUT, a file, or /dev/null.
observe() {
	local mode=$1 at=$BATS_TEST_TMPDIR/$1 status
	shift
	set_prefix "$mode"
	rm -rf "$at" "$BATS_TEST_TMPDIR/trace.$mode"
	mkdir -p "$at/files"
	(
		cd "$at/files" || exit
		status=0
		# The redirections are the command's alone: what this shell has to say about a signal is not compared.
		"${prefix[@]}" "$@" <"${INPUT:-/dev/null}" >../stdout 2>../stderr || status=$?
		echo "$status" >../status
	)
	[ "$mode" = native ] || sane_trace "$BATS_TEST_TMPDIR/trace.$mode"
}

# A trace that was recorded can be read and reported, whatever the program did.
sane_trace() {
	[ -d "$1" ] || return 0
	"$EAGAIN" report "$1" >/dev/null && "$EAGAIN" log "$1" >/dev/null
}

# same CMD...: CMD does natively what it does under eagain, in each mode ($MODES).  What came of it is kept in "outcomes".
same() {
	local mode outcome failed=0
	observe native "$@"
	echo "native $(<"$BATS_TEST_TMPDIR/native/status")" >>"$BATS_TEST_TMPDIR/outcomes"
	for mode in $MODES; do
		outcome=same
		{ observe "$mode" "$@" && diff -r "$BATS_TEST_TMPDIR/native" "$BATS_TEST_TMPDIR/$mode"; } || outcome=differs
		echo "${mode#inside.} $outcome" >>"$BATS_TEST_TMPDIR/outcomes"
		[ $outcome = same ] || failed=1
	done
	return $failed
}

# need_program NAME...: skips the test where one of them is not installed.
need_program() {
	local program
	for program; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

# ends_with STATUS PID: waits for a child of this shell.
ends_with() {
	local status=0
	wait "$2" || status=$?
	[ "$status" = "$1" ] || { echo "status $status"; false; }
}

# damage GOOD BAD: a copy of a trace with some bytes changed, and perhaps cut short; by $RANDOM.
damage() {
	rm -rf "$2"
	cp -r "$1" "$2"
	perl -e '
		srand shift;
		for my $file (@ARGV) {
			open my $f, "+<:raw", $file or die;
			my $size = -s $f;
			for (1 .. 8) {
				sysseek $f, int rand(rand() < 0.5 ? 4600 : $size), 0;
				syswrite $f, chr int rand 256;
			}
			truncate $f, int rand $size if rand() < 0.25;
		}' "$RANDOM" "$2"/*
}

# rewrite TRACE KIND AT BYTES: puts bytes there in each record of that kind (its number in tracer/format.h).
rewrite() {
	perl -e '
		my ($kind, $at, $bytes, @files) = @ARGV;
		for my $file (@files) {
			open my $f, "+<:raw", $file or die;
			my $all = do { local $/; <$f> };
			for (my $slot = 4096 + 64; $slot + 32 <= length $all; $slot += 32) {
				substr($all, $slot + $at, length pack "H*", $bytes) = pack "H*", $bytes if ord(substr $all, $slot, 1) == $kind;
			}
			seek $f, 0, 0;
			print $f $all;
		}' "$2" "$3" "$4" "$1"/[0-9]*
}

# kind_of ID: its number in tracer/format.h.
kind_of() {
	awk -v id="$1" '/^#define TRACE_KINDS/ { on = 1; n = -1 } /^enum trace_kind/ { on = 0 }
		on && /^\tX\(/ { n++; if (index($0, "X(" id ",")) print n }' "$TOP/tracer/format.h"
}

# record_late FIFO: a trace of a program that has FIFO written to, and takes that late: first it computes, then it sleeps; and then
# never.  Where the machine is busy the observer may come too late itself, and then says so: once more.
record_late() {
	mkfifo "$1"
	for _ in 1 2 3 4 5 6; do
		rm -rf trace go[123]
		record_late_once "$1"
		"$EAGAIN" report trace >report
		! grep -q 'read 2 times, known of 2' report || ! grep -q 'at the end, and not read' report || return 0
	done
	cat report
	return 1
}

record_late_once() {
	local n pid
	"$EAGAIN" record --readiness -o trace perl -MPOSIX -e '
		open R, "+<", $ARGV[0];
		sub feed { select undef, undef, undef, 0.05; if (!fork) { open W, ">", $ARGV[0]; syswrite W, "x"; POSIX::_exit(0) } wait }
		feed; 1 until -e "go1"; sysread R, $b, 10;
		feed; select undef, undef, undef, 0.02 until -e "go2"; sysread R, $b, 10;
		feed; select undef, undef, undef, 0.02 until -e "go3"; POSIX::_exit(0)' "$1" &
	pid=$!
	for n in 1 2 3; do
		until "$EAGAIN" log trace >log 2>/dev/null && [ "$(grep -c "^[^ ]* $(sed -n '1s/^[^ ]* \(pid=[0-9]*\) .*/\1/p' log) .*ev=edge .*for=read" log)" -ge $n ]; do
			kill -0 $pid
			! grep -q ev=reap log || grep -q ev=watch log || { kill $pid; skip "nothing can be observed here"; }
		done
		# It has come: for so long nobody takes it, which is what is to be seen.
		sleep 0.15
		: >go$n
	done
	ends_with 0 $pid
	"$EAGAIN" log trace >log
}

# ordered TEXT...: each stands in the output, behind the one before.
ordered() {
	# shellcheck disable=SC2154 # bats' run sets it
	local text rest=$output
	for text; do
		[[ $rest == *"$text"* ]] || { echo "missing, or too early: $text"; echo "$output"; false; }
		rest=${rest#*"$text"}
	done
}

# note TEXT: a line in the test's output, also when it passes.
note() {
	echo "# $*" >&3
}
