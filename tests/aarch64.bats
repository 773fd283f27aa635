# The other architecture, in an emulator: its restorers, its window and its system calls.  What the emulator does to timing and to
# threads that sleep is not compared.

load helper

setup_file() {
	command -v qemu-aarch64 >/dev/null && command -v aarch64-linux-gnu-gcc >/dev/null &&
		[ -e /usr/aarch64-linux-gnu/include/stdio.h ] || return 0
	export AARCH64=$BATS_FILE_TMPDIR/build
	make -s -C "$TOP" BUILD="$AARCH64" CC=aarch64-linux-gnu-gcc "$AARCH64/libeagain.so" "$AARCH64/tests/traps" "$AARCH64/tests/matrix" \
		"$AARCH64/tests/stalls" "$AARCH64/tests/aio"
}

setup() {
	[ -n "${AARCH64:-}" ] || skip "needs qemu-user, gcc-aarch64-linux-gnu and libc6-dev-arm64-cross"
	cd "$BATS_TEST_TMPDIR" || return
}

# emulated [-E NAME=VALUE...] PROGRAM [ARGUMENT...]
emulated() {
	timeout 300 qemu-aarch64 -L /usr/aarch64-linux-gnu "$@" 2>/dev/null
}

@test "aarch64: traps" {
	for trap in errno-untouched alternate-stack blocked-signal sigaction-readback handler-arguments own-view stdio-reading \
		cancellation longjmp-many canceled-with-data peek-waitall pipe-closed-in-a-write; do
		emulated "$AARCH64/tests/traps" $trap >native
		emulated -E LD_PRELOAD="$AARCH64/libeagain.so" "$AARCH64/tests/traps" $trap >run
		diff native run
		emulated -E LD_PRELOAD="$AARCH64/libeagain.so" -E EAGAIN_TRACE="$PWD/trace" "$AARCH64/tests/traps" $trap >record
		diff native record
	done
	"$EAGAIN" log trace | grep -q 'ev=EWOULDBLOCK call=read'
}

@test "aarch64: POSIX AIO" {
	for behaviour in write-file order list-wait suspend reads-wait writes-wait reader-leaves other-file lists; do
		emulated "$AARCH64/tests/aio" $behaviour >native
		emulated -E LD_PRELOAD="$AARCH64/libeagain.so" "$AARCH64/tests/aio" $behaviour >run
		diff native run
	done
}

@test "aarch64: a stall, and where it was" {
	emulated -E LD_PRELOAD="$AARCH64/libeagain.so" -E EAGAIN_TRACE="$PWD/trace" -E EAGAIN_STACKS=1 "$AARCH64/tests/stalls" epoll mutex >said
	"$EAGAIN" report trace >report
	grep -q "waiting for locks (pthread_mutex_lock 0x[0-9a-f]*, held by tid $(sed -n 's/holder //p' said))" report
	grep -q '^ *waited in wait_for_mutex < .*main < ' report
}

@test "aarch64: cells of the matrix, with all signals" {
	for cells in /unix-stream/in/recv_10/ /pipe/in/read_8/ /pipe/out/write_large/ /tty-1-0/in/read_8; do
		# Whether a cell blocks is seen by how long it takes: what is late for the emulator once, is not three times.
		for try in 1 2 3; do
			emulated "$AARCH64/tests/matrix" run $cells | grep -v 'thread: ' >native
			emulated -E LD_PRELOAD="$AARCH64/libeagain.so" "$AARCH64/tests/matrix" run $cells | grep -v 'thread: ' >run
			[ -s native ]
			! diff native run || break
			[ $try != 3 ]
		done
	done
}
