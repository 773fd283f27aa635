# Known traps, one test each: a small program does natively what it does under eagain, in each mode.

load helper

trap_same() {
	same timeout 120 "$PROGRAMS/traps" "$@"
}

@test "every trap has its test" {
	for trap in $("$PROGRAMS/traps" list); do
		grep -q "\(trap_same\|kept\|/traps\"\|behaves \"\$kind\"\) $trap\b" "$TOP"/tests/*.bats || { echo "no test: $trap"; false; }
	done
}

@test "signals: one at each single instruction of a call, and none is lost" {
	export TRIES=$BATS_TEST_TMPDIR/tries
	same sh -c '"$PROGRAMS/traps" signal-at-each-instruction 2>>"$TRIES"'
	run -1 grep -v 'lost 0, odd 0' "$BATS_TEST_TMPDIR/native/stdout"
	note "$(grep -h tries "$TRIES" | paste -sd, | sed 's/,/, /g'): native, then each mode; lost: 0"
}

@test "fds: a zero-length read takes no datagram" {
	trap_same zero-length
}

@test "fds: a FIFO without a writer answers at once" {
	trap_same fifo-without-writer
}

@test "fds: O_WRONLY, O_PATH, directories, pidfds answer at once" {
	trap_same wrong-direction
}

@test "fds: MSG_PEEK with MSG_WAITALL" {
	trap_same peek-waitall
}

@test "fds: MSG_FASTOPEN" {
	trap_same fast-open
}

@test "fds: MSG_ERRQUEUE" {
	trap_same error-queue
}

@test "fds: a stale hint: the pipe has become a file, read to the last byte" {
	trap_same pipe-that-became-a-file
}

@test "fds: a stale hint: every kind has become every other" {
	trap_same kind-that-became-another
}

@test "fds: a stale hint: streams and pipes have become each other, and take more than fits" {
	trap_same kind-that-takes-a-write
}

@test "fds: a reset in the middle of a write leaves ECONNRESET for the next" {
	trap_same reset-in-a-write
}

@test "fds: the reader goes in the middle of a write" {
	trap_same pipe-closed-in-a-write
}

@test "fds: 64 readers of one pipe" {
	trap_same many-readers
}

@test "fds: 16 workers in accept" {
	trap_same many-acceptors
}

@test "flag: the program sees its own O_NONBLOCK only" {
	trap_same own-view
}

@test "flag: two processes read one pipe, one socket" {
	trap_same shared-by-fork
}

@test "flag: many processes, some with threads, read one pipe" {
	trap_same many-processes
}

@test "flag: a child sets O_NONBLOCK, and clears it" {
	trap_same set-by-a-child
}

@test "flag: fds in use are passed on" {
	trap_same passed-on
}

@test "flag: a vfork child puts something else under a number of the program's" {
	trap_same vfork-child-duplicates
}

@test "flag: O_ASYNC and F_SETSIG" {
	trap_same asynchronous
}

@test "flag: both fds of splice and tee" {
	trap_same used-by-splice
}

@test "writes: a bad address in a later vector" {
	trap_same bad-vector
}

@test "writes: 3 GiB in one writev" {
	trap_same two-gigabytes
}

@test "writes: up to PIPE_BUF they are atomic, among processes and among threads" {
	trap_same atomic-records
}

@test "writes: to a socket with something in its error queue" {
	trap_same write-with-notices
}

@test "writes: the pipe grows meanwhile" {
	trap_same pipe-resized
}

@test "sockets: either end is shut down in each direction while a call waits, by a thread and by a process" {
	trap_same shutdowns
}

@test "process: exec in every form" {
	trap_same exec-forms
}

@test "process: posix_spawn, system, popen" {
	trap_same spawn-forms
}

@test "process: exit, _exit, quick_exit, abort, signals" {
	trap_same exit-forms
}

@test "process: a chain of forks" {
	trap_same fork-chain
}

@test "signals: in each call that waits: EINTR or not, stopped and continued, both kinds of handler together" {
	trap_same signals-in-each-wait
}

@test "signals: one between a stop and the rest of a sleep" {
	trap_same signal-before-a-restart
}

@test "signals: sigaction reads back what was set" {
	trap_same sigaction-readback
}

@test "signals: signal, bsd_signal, ssignal, sysv_signal, sigset, sighold, sigignore, siginterrupt, SA_RESETHAND: read back, and in a wait" {
	trap_same installers
}

@test "signals: what a handler is told by a timer, a child, an fd; SA_NODEFER, masks" {
	trap_same handler-is-told
}

@test "signals: a handler reads, writes, closes, replaces, unblocks the fd that is waited on" {
	trap_same handler-on-the-same-fd
}

@test "signals: 10,000 a second, and all bytes are there, in order" {
	trap_same ten-kilohertz
}

@test "signals: siginfo and SA_RESETHAND" {
	trap_same handler-arguments
}

@test "signals: a handler on an alternate stack" {
	trap_same alternate-stack
}

@test "signals: a blocked signal does not end a wait" {
	trap_same blocked-signal
}

@test "stdio: fgets, getline, fscanf, fread, fgetc" {
	trap_same stdio-reading
}

@test "stdio: fprintf to a full pipe, and to a closed one" {
	trap_same stdio-writing
}

@test "stdio: wide streams" {
	trap_same stdio-wide
}

@test "stdio: a handler ends fgets" {
	trap_same stdio-interrupted
}

@test "stdio: freopen" {
	trap_same stdio-reopened
}

@test "stdio: files: seeking, appending, mapped" {
	trap_same stdio-files
}

@test "terminal: a background read raises SIGTTIN" {
	trap_same background-read
}

@test "terminal: a background read with SIGTTIN ignored" {
	trap_same background-read-ignored
}

@test "terminal: a background write raises SIGTTOU under TOSTOP" {
	trap_same background-write
}

@test "terminal: VMIN and VTIME" {
	trap_same vmin-vtime
}

@test "terminal: large writes are not cut into pieces" {
	trap_same writes-in-one-piece
}

@test "terminal: a hangup" {
	trap_same hangup
}

@test "threads: pthread_cancel at each call: the cancellation points, and no others" {
	trap_same cancellation-points
}

@test "threads: pthread_cancel where a call is passed through" {
	trap_same cancel-passed
}

@test "threads: pthread_cancel whose signal is late" {
	need_program strace
	strace -o /dev/null true || skip "no right to trace"
	cat >"$BATS_TEST_TMPDIR/slowly" <<-END
		exec strace -f -o /dev/null -e trace=tgkill -e inject=tgkill:delay_enter=1000000 "\$@"
	END
	same sh "$BATS_TEST_TMPDIR/slowly" "$PROGRAMS/traps" canceled-late
	grep -x 'ended 0, cleaned 0' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "threads: a wait costs a system call more once one was canceled, where glibc needs it: up to 2.40" {
	need_program strace
	cd "$BATS_TEST_TMPDIR"
	strace -o /dev/null true || skip "no right to trace"
	for version in 2.9 2.36 2.40 2.40.9000 2.41 2.100 3.0; do
		strace -f -o calls -e trace=close env LIBC_VERSION=$version LD_PRELOAD="$PROGRAMS/version.so" \
			"$EAGAIN" run "$PROGRAMS/traps" cancel-passed >/dev/null
		grep -q 'close(-1)' calls && echo "$version: yes" || echo "$version: no"
	done | tee found >&2
	diff found - <<-END
		2.9: yes
		2.36: yes
		2.40: yes
		2.40.9000: yes
		2.41: no
		2.100: no
		3.0: yes
	END
}

@test "signals: system is canceled, or left by siglongjmp, and nothing stays changed" {
	trap_same canceled-system
	trap_same left-system
}

@test "threads: pthread_cancel in a child that is not followed" {
	cd "$BATS_TEST_TMPDIR"
	"$PROGRAMS/traps" cancellation-points >native
	"$EAGAIN" run --no-follow sh -c '"$PROGRAMS/traps" cancellation-points; true' >here
	diff native here
}

@test "threads: some read from a socket while another writes to it" {
	trap_same both-ways
}

@test "threads: thousands come and go, and do I/O in their destructors" {
	trap_same threads-come-and-go
}

@test "threads: the lowest free number is the program's, however much is recorded" {
	trap_same lowest-number
}

@test "threads: libraries with constructors and destructors that do I/O are loaded and unloaded" {
	trap_same library-comes-and-goes "$PROGRAMS/early.so"
}

@test "threads: those that libc starts: SIGEV_THREAD, thrd_create" {
	trap_same threads-of-libc
}

@test "threads: sigwait, sigwaitinfo, sigtimedwait, signalfd, sigsuspend, ppoll, pselect take a signal while another thread reads" {
	trap_same signal-is-waited-for
}

@test "threads: the main thread exits first" {
	trap_same main-thread-exits
}

@test "threads: a signal to one thread" {
	trap_same signal-to-one
}

@test "threads: two threads write more than fits" {
	trap_same two-large-writes
}

@test "signals: a storm of signals ends no call that does not wait" {
	trap_same storm
}

@test "fds: a unix peer's SHUT_RD and close in a write" {
	trap_same peer-in-a-write
}

@test "fds: SO_SNDTIMEO set by another process" {
	trap_same timeout-from-elsewhere
}

@test "fds: a pipe in packet mode" {
	trap_same packets
}

@test "process: bad environments are refused" {
	trap_same bad-environments
}

@test "process: a program that forbids itself the TSC" {
	trap_same no-tsc
	run -0 "$EAGAIN" run --log="$BATS_TEST_TMPDIR/log" "$PROGRAMS/traps" no-tsc
	grep -q 'call=read' "$BATS_TEST_TMPDIR/log"
}

@test "flag: O_NONBLOCK is set on the fds in use, as the kernel sees them" {
	run -0 "$EAGAIN" run --switch=flag "$PROGRAMS/traps" kernel-view
	[ "$output" = "flags while in use: 1" ]
	run -0 "$EAGAIN" run --switch=auto "$PROGRAMS/traps" kernel-view
	[ "$output" = "flags while in use: 0" ]
}

@test "flag: O_NONBLOCK of an inherited fd is restored after each way to end" {
	cd "$BATS_TEST_TMPDIR"
	# Each signal that ends a program, from outside; SIGSEGV also by a fault.
	for end in exit _exit quick_exit x-exec close kill abort fault 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 24 25 26 27 29 30 31 34 64; do
		modes='run record'
		[[ $end != [1-9]* ]] || modes=run
		for mode in $modes; do
			# The inner shell shares stdin's description with the program, and looks at it afterwards.
			output=$(yes | sh -c '
				ulimit -c 0
				end=$1
				shift
				"$@" "$PROGRAMS/traps" use-stdin-and-end "$end" >/dev/null 2>&1
				exec "$PROGRAMS/traps" stdin-flag' sh "$end" "$EAGAIN" "$mode" --switch=flag)
			[ "$output" = "stdin: 0" ] || { echo "$mode $end: $output"; false; }
		done
	done
}

@test "flag: O_NONBLOCK that a killed child has left on an inherited fd is restored" {
	for parent in sh bash; do
		output=$(yes | sh -c '"$@" >/dev/null 2>&1; exec "$PROGRAMS/traps" stdin-flag' sh \
			"$EAGAIN" run --switch=flag "$parent" -c '"$PROGRAMS/traps" use-stdin-and-end kill; true')
		[ "$output" = "stdin: 0" ] || { echo "$parent: $output"; false; }
	done
}

@test "flag: what the program itself leaves on its stdin stays" {
	for end in exit kill; do
		output=$(yes | sh -c '"$EAGAIN" run --switch=flag "$PROGRAMS/traps" leave-nonblocking "$1" >/dev/null 2>&1
			exec "$PROGRAMS/traps" stdin-flag' sh $end)
		[ "$output" = "stdin: 1" ] || { echo "$end: $output"; false; }
	done
}

@test "flag: O_NONBLOCK is restored where libc moves stdin, or waits for the child that was killed" {
	killed="exec $PROGRAMS/traps use-stdin-and-end kill"
	look='EAGAIN_SWITCH=flag LD_PRELOAD=$LIBRARY "$@" >&2; exec "$PROGRAMS/traps" stdin-flag'
	[ "$(yes | sh -c "$look" sh "$PROGRAMS/traps" use-stdin-and-leave)" = "stdin: 0" ]
	[ "$(yes | sh -c "$look" sh "$PROGRAMS/traps" use-stdin-in-a-child system "$killed")" = "stdin: 0" ]
	[ "$(yes | sh -c "$look" sh "$PROGRAMS/traps" use-stdin-in-a-child popen "$killed")" = "stdin: 0" ]
}

@test "flag: O_NONBLOCK that a killed child has left is restored though nobody waited for it" {
	output=$(yes | sh -c '"$@" && exec "$PROGRAMS/traps" stdin-flag' sh \
		"$EAGAIN" run --switch=flag "$PROGRAMS/traps" abandon "$PROGRAMS/traps" use-stdin-and-end kill)
	[ "$output" = "stdin: 0" ] || { echo "$output"; false; }
}

@test "flag: nested users of one description restore the right value" {
	inner="$EAGAIN run --switch=flag $PROGRAMS/traps use-stdin-and-end exit"
	[ "$(yes | "$EAGAIN" run --switch=flag sh -c "$inner; $inner; $PROGRAMS/traps stdin-flag")" = "stdin: 0" ]
	[ "$(yes | sh -c "$EAGAIN run --switch=flag sh -c '$inner; $inner'; $PROGRAMS/traps stdin-flag")" = "stdin: 0" ]
}

@test "process: the exit status and the signal are the program's, in every form" {
	for how in 0 1 2 77 255 -1 -2 -3 -6 -9 -11 -13 -15; do
		trap_same end "$how"
	done
}

@test "a constructor before the shim's, a destructor after it" {
	same env LD_PRELOAD="$PROGRAMS/early.so" "$PROGRAMS/traps" exit-forms
}

@test "what else is preloaded does to calls what it does natively" {
	echo you >"$BATS_TEST_TMPDIR/input"
	INPUT=$BATS_TEST_TMPDIR/input
	same env LD_PRELOAD="$PROGRAMS/layer.so" "$PROGRAMS/echo"
	grep -q YOU "$BATS_TEST_TMPDIR/native/stdout"
	same sh -c 'export LD_PRELOAD="$LD_PRELOAD:$PROGRAMS/layer.so"; "$PROGRAMS/echo"'
	same env LD_PRELOAD="$PROGRAMS/layer.so:$PROGRAMS/early.so" sh -c '"$PROGRAMS/echo"'
	run -0 env LD_PRELOAD="$PROGRAMS/layer.so" "$EAGAIN" run "$PROGRAMS/echo" <"$INPUT"
	[[ $output == *YOU* ]]
}
