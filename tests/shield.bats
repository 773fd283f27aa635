# The shield: O_NONBLOCK that a program was given with its stdin, stdout and stderr, and was not written for.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# behaves KIND TRAP...: with O_NONBLOCK on what it was given, the program does under eagain what it natively does without.
behaves() {
	local kind=$1 mode
	shift
	observe native "$PROGRAMS/given" "$kind" blocking "$PROGRAMS/traps" "$@"
	for mode in $MODES; do
		observe "$mode" "$PROGRAMS/given" "$kind" nonblock "$PROGRAMS/traps" "$@"
		diff -r "$BATS_TEST_TMPDIR/native" "$BATS_TEST_TMPDIR/$mode"
	done
}

@test "a program that does not know of O_NONBLOCK waits: pipes, sockets, terminals" {
	for kind in pipe socket terminal; do
		behaves "$kind" shield-unaware
		grep -q 'read: 5 hello' "$BATS_TEST_TMPDIR/native/stdout"
	done
	[ "$("$PROGRAMS/given" pipe nonblock "$PROGRAMS/traps" shield-other-fd 0)" = 'read: -1 EAGAIN ' ]
}

@test "the peer of a unix socket shuts down reading while a write waits" {
	kind=socket
	behaves "$kind" shield-refused
	behaves "$kind" shield-refused full
}

@test "signals end such a wait, or do not, as they would a native one; threads; cancellation" {
	for kind in pipe socket terminal; do
		behaves "$kind" shield-signals
		behaves "$kind" shield-threads
	done
}

@test "a program that has set it, seen it, or polls gets its EAGAIN" {
	for knows in seen set FIONBIO polled selected epoll set-by-number set-through-a-copy set-then-moved-away-and-back set-then-vfork MSG_DONTWAIT another-file; do
		same "$PROGRAMS/given" socket nonblock "$PROGRAMS/traps" shield-aware "$knows"
		grep -q 'EAGAIN' "$BATS_TEST_TMPDIR/native/stdout"
	done
}

@test "levels: off, inherited, all" {
	given() { run -0 "$EAGAIN" run --shield="$1" "$PROGRAMS/given" pipe "${@:2}"; }
	given off nonblock "$PROGRAMS/traps" shield-other-fd 0
	[ "$output" = 'read: -1 EAGAIN ' ]
	given stdio nonblock sh -c 'exec "$PROGRAMS/traps" shield-other-fd 5 5<&0'
	[ "$output" = 'read: -1 EAGAIN ' ]
	given inherited nonblock sh -c '(until grep -qs "ev=park" log; do :; done; echo hello >&3) & EAGAIN_LOG=$PWD/log exec "$PROGRAMS/traps" shield-other-fd 5 5<&0'
	[[ $output == 'read: 6 hello'* ]]
	given inherited blocking "$PROGRAMS/traps" shield-aware set
	[ "$output" = 'read: -1 EAGAIN ' ]
	given all blocking "$PROGRAMS/traps" shield-own
	[ "$output" = 'read: 5 hello' ]
	given all nonblock "$PROGRAMS/traps" shield-aware polled
	[ "${lines[1]}" = 'read: -1 EAGAIN ' ]
}

# shellcheck disable=SC2030,SC2031 # each test has its own
@test "all: a dup2 or close_range that fails, and what a vfork child does, leave an fd polled; a dup2 that does not fail does not" {
	export EAGAIN_SHIELD=all MODES='run.auto record.flag'
	for how in dup2 dup3 dup3-by-number close_range vfork-close vfork-close_range vfork-dup2; do
		same "$PROGRAMS/given" socket blocking "$PROGRAMS/traps" shield-polled $how
		same "$PROGRAMS/given" pipe blocking "$PROGRAMS/traps" shield-polled $how by-epoll
		grep -qx 'read: -1 EAGAIN ' "$BATS_TEST_TMPDIR/native/stdout"
	done
	run -0 "$EAGAIN" run "$PROGRAMS/given" pipe blocking "$PROGRAMS/traps" shield-polled another
	[ "${lines[2]}" = 'read: -1 EINTR ' ]
}

# shellcheck disable=SC2030,SC2031
@test "all: an fd is polled, read and replaced, or not, by two threads: at each of the first's instructions, the whole of the second's" {
	export EAGAIN_SHIELD=all
	for name in 'failed dup2, and read' 'failed dup2, and failed dup2' 'failed dup2, and dup2 and poll' 'dup2, and poll and read' \
		'dup2, and poll and failed dup2'; do
		MODES='run.auto readiness.auto' same sh -c '"$PROGRAMS/traps" in-every-order 1 0 "$1" 2>/dev/null' sh "$name"
		grep -qx "$name: odd 0" "$BATS_TEST_TMPDIR/native/stdout"
	done
}

@test "O_NONBLOCK stays as it was, and the log says that it was not the program's" {
	run -0 "$PROGRAMS/given" pipe nonblock sh -c '"$EAGAIN" run --log=log "$PROGRAMS/traps" shield-signals; "$PROGRAMS/traps" stdin-flag'
	[ "${lines[-1]}" = 'stdin: 1' ]
	grep -q 'ev=EWOULDBLOCK call=read fd=0 .* way=O_NONBLOCK shield=yes' log
	run -1 grep 'asked=program' log
}
