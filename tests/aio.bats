# POSIX AIO: what it does natively it does when the shim serves it.

load helper

same_behaviours() {
	local name failed=0

	for name; do
		MODES='run.auto run.flag record.auto' same timeout 60 "$PROGRAMS/aio" "$name" || { echo "not the same: $name"; failed=1; }
	done
	return $failed
}

@test "what is read and written, on each kind of fd; bad arguments; file size limits, O_DIRECT, broken pipes" {
	same_behaviours read-file write-file fd-kinds streams bad-arguments bad-address sync-file direct file-size broken-pipe nonblocking
}

@test "order: what appends, streams, ranges that overlap; many at once; who knows of a sync knows of what was before it" {
	same_behaviours order overlaps same-memory beside-bad-list many told-in-order told-before-sync
}

@test "notices: signals, threads, lists" {
	same_behaviours signal-for-one no-such-signal signal-before-end thread-for-one list-wait list-signal list-thread list-of-both
}

@test "aio_suspend: times, signals, lists of both kinds, cancellation; aio_cancel" {
	same_behaviours suspend interrupted mixed suspend-canceled cancel cancel-with-notice cancel-some
}

@test "threads, forks, exit and exec with requests under way, close; no other call is interrupted; the same fd numbers; sandboxes" {
	same_behaviours threads thread-ends main-ends last-waits pauses forks ends-in-flight closed undisturbed numbers sandbox sandbox-in-flight
}

@test "a read of what is in memory needs no thread; with --no-aio all is libc's" {
	cd "$BATS_TEST_TMPDIR"
	for run in "" "$EAGAIN run --no-aio" "$EAGAIN record --no-aio" "env EAGAIN_AIO=0 LD_PRELOAD=$LIBRARY"; do
		# shellcheck disable=SC2086 # several words
		run -0 $run "$PROGRAMS/aio" threads-of-its-own
		[ "$output" = $'read: 100\nthreads: 2' ] || { echo "$run: $output"; false; }
	done
	for run in "$EAGAIN run" "$EAGAIN record" "env LD_PRELOAD=$LIBRARY"; do
		# shellcheck disable=SC2086 # several words
		run -0 $run "$PROGRAMS/aio" threads-of-its-own
		[ "$output" = $'read: 100\nthreads: 1' ] || { echo "$run: $output"; false; }
	done
}

# With libc, a child that finds its parent's idle thread in its memory waits for it.
@test "a child of a process that has used it can use it" {
	cd "$BATS_TEST_TMPDIR"
	run -0 timeout 60 "$EAGAIN" run "$PROGRAMS/aio" forks-later
	[ "$output" = $'here: 0\na child: 0\na child: 0\na child: 0\nread: 4' ] || { echo "$output"; false; }
}

@test "where there can be one thread more, it does all" {
	[ "$(id -u)" = 0 ] || skip "needs root to become a user who has no other threads"
	same_behaviours few-threads
}

@test "setuid reaches the threads that serve" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	same_behaviours rights
}

@test "what was killed has nothing under way; what was closed is no more in use" {
	MODES=run.auto same timeout 60 "$PROGRAMS/aio" killed
	MODES=run.auto same taskset 1 timeout 60 "$PROGRAMS/aio" unlocked
}

# With libc, an idle thread that has the other fds serves it.
@test "requests of a thread with fds of its own are on these" {
	cd "$BATS_TEST_TMPDIR"
	run -0 timeout 60 "$EAGAIN" run "$PROGRAMS/aio" own-fds
	[ "$output" = $'here: 0\nwritten: 5\nhere: 0' ] || { echo "$output"; false; }
	[ "$(<own)" = mine ]
}

@test "a full disk" {
	unshare -rm true 2>/dev/null || skip "no right to mount"
	MODES=run.auto same unshare -rm sh -c 'mkdir m && mount -t tmpfs -o size=64k none m && "$PROGRAMS/aio" full m && umount m'
}

@test "fio reads what it has written, at depths from 1 to 256" {
	need_program fio
	cd "$BATS_TEST_TMPDIR"
	for depth in 1 8 64 256; do
		for direct in 0 1; do
			timeout 60 "$EAGAIN" run fio --name=verify --ioengine=posixaio --iodepth="$depth" --direct=$direct --filename=data --size=2M \
				--bs=4k --rw=randrw --verify=crc32c --verify_fatal=1 --minimal >fio || { cat fio; false; }
		done
	done
}
