# poll and select on kept sets: what they answer is what the kernel would.

load helper

# kept TRAP: and the trace shows that it was about kept sets.
kept() {
	same timeout 120 "$PROGRAMS/traps" "$1"
	cd "$BATS_TEST_TMPDIR" || return
	"$EAGAIN" log "$BATS_TEST_TMPDIR/trace.record.auto" >log
	grep -q ' way=kept' log
}

# at_random STEPS SEEDS CMD...: so that a failure can be had again, its command is shown.
at_random() {
	local seed

	for seed in $2; do
		# shellcheck disable=SC2086 # several words
		run "${@:3}" "$PROGRAMS/kept" "$seed" $1
		[ "$status" = 0 ] || { echo "${*:3} kept $seed $1"; echo "$output"; false; }
	done
}

some_seeds() {
	local i

	seeds=
	for ((i = 0; i < $1; i++)); do seeds+="$RANDOM$RANDOM "; done
	note "seeds: $seeds"
}

@test "arrays and sets of select, at random, a million steps: each answer is the kernel's" {
	some_seeds 20
	at_random 50000 "${seeds%% *}" env LC_ALL=C
	at_random 50000 "$seeds" "$EAGAIN" run
}

@test "the same in two threads at once" {
	some_seeds 4
	at_random '25000 threads' "${seeds%% *}" env LC_ALL=C
	at_random '25000 threads' "$seeds" "$EAGAIN" run
	cd "$BATS_TEST_TMPDIR"
	"$EAGAIN" record "$PROGRAMS/kept" 6 5000 threads
	[ "$("$EAGAIN" log | grep ' way=kept' | grep -o ' tid=[0-9]*' | sort -u | wc -l)" = 2 ]
}

@test "the same while it is recorded, and most of them from kept sets; what became another unseen is told" {
	cd "$BATS_TEST_TMPDIR"
	"$EAGAIN" record --max-size 200M "$PROGRAMS/kept" 6 20000
	"$EAGAIN" log >log
	kept=$(grep -c ' ev=call call=\(poll\|select\) .* way=kept' log)
	left=$(grep -c ' ev=call call=\(poll\|select\) .* why=' log)
	note "$kept kept, $left left to the kernel"
	[ "$kept" -gt "$left" ]
	grep -q ' ev=keep call=poll .* keep=begun' log
	grep -q ' ev=keep call=[a-z]* .* keep=left' log
	grep -q ' ev=keep call=[a-z]* .* keep=corrected' log
	"$EAGAIN" report >report
	grep -q "polls of many fds: $kept served from kept sets, $left left to the kernel (.* seen too seldom" report
	grep -q 'fds that became others unseen: [0-9]*, each noticed within [0-9.]* ms of polling' report
	run -0 "$EAGAIN" run --no-keep "$PROGRAMS/kept" 6 20000
}

@test "below 64 fds, and with --no-keep, nothing is kept" {
	cd "$BATS_TEST_TMPDIR"
	few='import select, os
p = select.poll()
for i in range(int(os.environ["PIPES"])): p.register(os.pipe()[0])
for i in range(50): p.poll(0)'
	PIPES=63 "$EAGAIN" record -o few /usr/bin/python3 -c "$few"
	PIPES=64 "$EAGAIN" record -o many /usr/bin/python3 -c "$few"
	PIPES=64 "$EAGAIN" record --no-keep -o off /usr/bin/python3 -c "$few"
	run -1 grep -c 'ev=keep' <("$EAGAIN" log few)
	[ "$("$EAGAIN" log few | grep -c 'call=poll .*way=none$')" = 50 ]
	[ "$("$EAGAIN" log many | grep -c 'call=poll .*way=kept$')" = 42 ]
	[ "$("$EAGAIN" log many | grep -c 'call=poll .*way=none why=new$')" = 8 ]
	[ "$("$EAGAIN" log off | grep -c 'call=poll .*way=none why=limit$')" = 50 ]
}

@test "where most are ready, nothing is kept" {
	cd "$BATS_TEST_TMPDIR"
	"$EAGAIN" record /usr/bin/python3 -c 'import select, os
fds = [os.pipe()[1] for i in range(64)]
p = select.poll()
for fd in fds: p.register(fd)
for i in range(50): p.poll(0), select.select([], fds, [], 0)'
	[ "$("$EAGAIN" log | grep -c 'call=\(poll\|select\) .*way=none why=new$')" = 100 ]
	run -1 grep -c 'ev=keep' <("$EAGAIN" log)
}

@test "kept: the program finds each number free that it would find, up to the last" {
	kept kept-numbers
}

@test "kept: more entries than there may be fds, since the limit was lowered" {
	kept kept-lowered-limit
}

@test "kept: children of fork and vfork close what their parent watches" {
	kept kept-children
}

@test "kept: masks that block more, and less, with signals at 10 kHz" {
	kept kept-masks
}

@test "kept: handlers that poll the same array, on both stacks" {
	kept kept-handlers
}

@test "kept: handlers that jump out of the wait" {
	kept kept-jumps
}

@test "kept: threads that are canceled in the wait leave nothing behind" {
	kept kept-canceled
}

@test "kept: while a thread waits, another shuts down, closes, takes all numbers" {
	kept kept-taken
}

@test "kept: what becomes readable and wakes nobody is found" {
	kept kept-becomes-readable
}

@test "kept: sets in less memory than select is told" {
	kept kept-short-sets
}

@test "kept: arrays in memory that is read-only, shared, unmapped; bad times" {
	kept kept-memory
}

@test "kept: while another thread begins sets, the lowest free number is the program's" {
	kept kept-lowest
}

@test "kept: threads ask for high numbers at once, and each has what it got" {
	trap_slowly() {
		strace -f --seccomp-bpf -o /dev/null -e trace=close,fcntl -e inject=close:delay_enter=4000 \
			-e inject=fcntl:delay_exit=300 "$@" "$PROGRAMS/traps" kept-asked-for
	}
	same "$PROGRAMS/traps" kept-asked-for
	need_program strace
	strace -o /dev/null true || skip "no right to trace"
	for _ in 1 2 3; do
		trap_slowly "$EAGAIN" run -- >"$BATS_TEST_TMPDIR/slowly"
		diff "$BATS_TEST_TMPDIR/native/stdout" "$BATS_TEST_TMPDIR/slowly"
	done
}

@test "kept: a number that becomes another while a thread polls it" {
	kept kept-races
}

@test "kept: while a thread waits, another takes an fd out of its array, and closes it" {
	kept kept-copies
}

@test "kept: the array is unmapped while a thread waits" {
	kept kept-unmapped
}

@test "kept: another thread enters a sandbox without epoll; nothing of ours is left in it" {
	kept kept-sandboxes
}

@test "kept: an fd of select is closed before, and while it waits" {
	kept kept-select-closed
}

@test "kept: a process that shares the fds closes one" {
	kept kept-shared
}

@test "kept: what can be seen once only is seen" {
	kept kept-looks
}

@test "kept: the same memory for two sets of select" {
	kept kept-same-sets
}

@test "kept: a number that the program has not got is not open" {
	kept kept-strangers
}

@test "kept: all fds closed by a system call; then others, inside libc" {
	kept kept-raw-closes
}

@test "kept: children of raw forks and of daemon have all their numbers" {
	kept kept-inside-children
}

@test "kept: as many entries as there may be fds, all asked one by one" {
	kept kept-few-fds
}

@test "kept: a personality that does not tell the time left" {
	kept kept-sticky
}

@test "kept: handlers that poll the same array, on a stack that is disarmed" {
	kept kept-disarmed
}
