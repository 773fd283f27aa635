# Threads, forks, execs, signals, cancellations and descriptors that change their meaning, all at once and at random: what must hold
# in whatever order things happen holds natively and under eagain (tests/programs/stress.c); and small cases in every order there is
# (tests/programs/traps/loom.c).

load helper

# stress SECONDS MODE: the seed is told where it fails.
stress() {
	# A trace that goes round.
	EAGAIN_MAX_SIZE=64M under "$2" "$PROGRAMS/stress" "$1" "$RANDOM" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" ||
		{ echo "$2: status $?"; cat "$BATS_TEST_TMPDIR/err"; return 1; }
	grep -qx 'stress: all as it should be' "$BATS_TEST_TMPDIR/out"
	note "$2: $(tail -n 1 "$BATS_TEST_TMPDIR/err")"
	[ "$2" = native ] || sane_trace "$BATS_TEST_TMPDIR/trace.$2"
	rm -rf "$BATS_TEST_TMPDIR/trace.$2"
}

@test "stress: two seconds natively and in each mode" {
	for mode in native run.auto run.flag record.auto record.flag readiness.auto; do
		stress 2 $mode
	done
}

# bats test_tags=all
@test "stress: ten minutes in each mode" {
	for mode in native run.auto run.flag record.auto record.flag readiness.auto; do
		stress 600 $mode
	done
}

# woven STRIDE OFFSET
woven() {
	export ORDERS=$BATS_TEST_TMPDIR/orders
	MODES='run.auto record.auto readiness.auto' same sh -c '"$PROGRAMS/traps" in-every-order "$@" 2>>"$ORDERS"' sh "$@"
	run -1 grep -v ': odd 0$' "$BATS_TEST_TMPDIR/native/stdout"
	note "$(awk '{ n += $(NF - 1) } END { print n }' "$ORDERS") orders"
}

# What a thread has done that ended while another began is recorded, once, and so is what that did.
ended_once() {
	"$EAGAIN" log "$BATS_TEST_TMPDIR/trace.record.auto" | awk -v orders="$(awk '/^read and end/ { print $(NF - 1) }' "$ORDERS" | sed -n 3p)" '
		/ call=read / && substr($2, 5) != substr($3, 5) && / ret=5 / { firsts[$2]++ }
		/ call=read / && substr($2, 5) != substr($3, 5) && / ret=3 / && !/ fd=307 / { seconds++; pid = $2 }
		END { print orders " orders, recorded: " firsts[pid] + 0 ", " seconds + 0; exit !(orders && firsts[pid] == orders && seconds == orders) }'
}

@test "loom: an fd is closed, replaced, polled, read and given to requests by two threads: at some of the first's instructions, the whole of the second's" {
	woven 37 $((RANDOM % 37))
	ended_once
}

@test "loom: a recording that goes round while threads begin and end" {
	export EAGAIN_MAX_SIZE=128K
	MODES=record.auto same sh -c '"$PROGRAMS/traps" in-every-order 7 0 "read and end, and begin" 2>/dev/null'
	"$EAGAIN" report "$BATS_TEST_TMPDIR/trace.record.auto" | grep 'oldest overwritten'
}

# bats test_tags=all
@test "loom: an fd is closed, replaced, polled, read and given to requests by two threads: at each of the first's instructions, the whole of the second's" {
	woven 1 0
	ended_once
}
