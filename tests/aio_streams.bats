# POSIX AIO on streams: what waits gets natively what it gets when the shim serves it.

load helper

# same_behaviours NAME...: a name may have arguments behind it.
same_behaviours() {
	local name failed=0

	for name; do
		# shellcheck disable=SC2086 # a name, and its arguments
		MODES="${MODES_HERE:-run.auto record.flag}" same timeout 60 "$PROGRAMS/aio" $name || { echo "not the same: $name"; failed=1; }
	done
	return $failed
}

@test "reads that wait, on each kind; the end; notices; O_NONBLOCK, low water, nothing, bad memory" {
	same_behaviours reads-wait other-reads-wait do-not-wait low-water nothing bad-memory
}

@test "writes that wait: whole, in order; full queues; a sync after them; beside the program's own" {
	same_behaviours writes-wait full-queues sync-stream own-calls among-own-calls among-programs stop-waiting
}

@test "ends: readers that leave, resets, refusals, shutdown, timeouts; an error is told once, and no signal comes" {
	same_behaviours reader-leaves peer-resets peer-resets-full refused error-queue shut-down shut-down-writes timeouts
}

@test "aio_cancel: what waits is not canceled, what is behind it is" {
	same_behaviours cancel-stream
}

@test "what waits stays on its file; the program has the same fds, in its threads, too; lists" {
	same_behaviours other-file was-file was-stream not-held same-fds act-on-fds no-numbers 'no-numbers 6' lists
}

@test "children, exec, exit, the end of main, threads with other fds, while reads wait" {
	same_behaviours children 'children /bin/echo text' children-use without-main own-table
}

@test "a sandbox that is entered while reads wait, and writes" {
	same_behaviours enters-sandbox 'enters-sandbox all' enters-alone writes-in-sandbox
}

# The first call asks whether the kernel has it, 40 are for reads that wait; the others come after the end of main.
@test "the same after main has ended, on a kernel that says EBADF then" {
	need_program strace
	cd "$BATS_TEST_TMPDIR"
	"$PROGRAMS/aio" enters-alone >native
	timeout 60 strace -f -o calls -e inject=pidfd_getfd:error=EBADF:when=42+ "$EAGAIN" run "$PROGRAMS/aio" enters-alone eagain >shim
	grep -q 'pidfd_getfd.*INJECTED' calls
	diff native shim
}

# Natively it goes on.
@test "a sandbox that is entered when what waits has lost its fd: it is canceled, and takes nothing of another's" {
	run -0 timeout 60 "$EAGAIN" run "$PROGRAMS/aio" loses-fd
	[ "$output" = $'lost: -1 ECANCELED \nlost: -1 ECANCELED \nlost: -1 ECANCELED \n10' ] || { echo "$output"; false; }
}

# The filter is there before eagain is.
@test "where the kernel refuses what the shim needs, all is the same" {
	cd "$BATS_TEST_TMPDIR"
	"$PROGRAMS/aio" lists >native.38
	"$PROGRAMS/aio" stop-waiting >native.1
	for call in getfd range open now; do
		timeout 60 "$PROGRAMS/aio" refused-calls 38 $call "$EAGAIN" run "$PROGRAMS/aio" lists >shim
		diff native.38 shim
		timeout 60 "$PROGRAMS/aio" refused-calls 1 $call "$EAGAIN" run "$PROGRAMS/aio" stop-waiting >shim
		diff native.1 shim
	done
}

@test "setuid reaches the threads, while reads wait" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	same_behaviours other-user
}

# Natively twenty of them wait, and the others behind them; or behind the other one.
@test "a thousand are served while a hundred wait; a write beside a read; children later, threads with fds of their own" {
	cd "$BATS_TEST_TMPDIR"
	run -0 timeout 60 "$EAGAIN" run "$PROGRAMS/aio" thousand
	[ "$output" = $'900 done, 100 wait\n1000 done' ] || { echo "$output"; false; }
	run -0 timeout 60 "$EAGAIN" run "$PROGRAMS/aio" beside
	[ "$output" = $'written: 4\nEINPROGRESS\nread: 6 answer\nwritten: 4\nEINPROGRESS\nread: 6 answer' ] || { echo "$output"; false; }
	run -0 timeout 60 "$EAGAIN" run "$PROGRAMS/aio" children-use later
	[ "$output" = $'child: 0\nchild: 0\nchild: 0\nchild: 0\nread: 4 text' ] || { echo "$output"; false; }
	run -0 timeout 60 "$EAGAIN" run "$PROGRAMS/aio" own-table both
	[ "$output" = $'there: 0\nread: 4 text\nhere: 0' ] || { echo "$output"; false; }
}

# The stack of a thread of the shim's is smaller than that. With libc's the thousand would never be done.
@test "a program with much thread-local data is served, too" {
	cd "$BATS_TEST_TMPDIR"
	run -0 env LD_PRELOAD="$PROGRAMS/wide.so" timeout 60 "$EAGAIN" run "$PROGRAMS/aio" thousand
	[ "$output" = $'900 done, 100 wait\n1000 done' ] || { echo "$output"; false; }
}
