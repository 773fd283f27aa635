# POSIX AIO: what it does natively it does when the shim serves it.

load helper

MODES='run.auto run.flag record.auto'

# These cannot be compared: with libc they end otherwise, or they are for another test.
differ='full forks-later parallel forbidden list-interrupted'

same_behaviours() {
	local name failed=0

	for name; do
		same timeout 60 "$PROGRAMS/aio" "$name" || { echo "not the same: $name"; failed=1; }
	done
	return $failed
}

@test "what is read and written, on each kind of fd; bad arguments; file size limits, O_DIRECT, broken pipes" {
	same_behaviours read-file write-file fd-kinds streams bad-arguments bad-address sync-file direct file-size broken-pipe nonblocking
}

@test "order: what appends, streams, ranges that overlap, syncs; many at once, and more than there is room for" {
	same_behaviours order overlaps much many
}

@test "notices: signals, threads, lists" {
	same_behaviours signal-for-one no-such-signal signal-before-end thread-for-one list-wait list-signal list-thread
}

@test "aio_suspend: times, signals, lists of both kinds, cancellation; aio_cancel; priorities" {
	same_behaviours suspend interrupted mixed suspend-canceled cancel cancel-with-notice priorities
}

@test "threads, forks, exit and exec with requests under way, close; no other call is interrupted; the same fd numbers; sandboxes" {
	same_behaviours threads thread-ends forks ends-in-flight closed undisturbed numbers sandbox sandbox-in-flight
}
