# The calls that are plain and timed: poll, select, epoll, transfers at an offset, sleeping and waiting.

load helper

@test "poll, select, epoll: results, timeouts, masks, bad arguments" {
	same "$PROGRAMS/traps" poll-family
}

@test "pread, preadv, sendfile, splice, tee, vmsplice, copy_file_range" {
	same "$PROGRAMS/traps" transfers
}

@test "sleep, nanosleep, wait, waitpid, waitid" {
	same "$PROGRAMS/traps" sleeping-and-waiting
}

@test "they are recorded, with what was ready" {
	cd "$BATS_TEST_TMPDIR"
	"$EAGAIN" record "$PROGRAMS/traps" poll-family >/dev/null
	"$EAGAIN" log >log
	for call in poll ppoll select pselect epoll_wait epoll_pwait; do
		grep -q "ev=call call=$call " log || { echo "not in the log: $call"; false; }
	done
	grep -q 'ev=ready call=poll fd=[0-9]* name=pipe' log
	grep -q 'ev=ready call=select fd=[0-9]* name=pipe' log
	"$EAGAIN" record "$PROGRAMS/traps" transfers >/dev/null
	"$EAGAIN" log >log
	for call in pread64 pwrite64 preadv pwritev preadv2 pwritev2 sendfile splice tee vmsplice copy_file_range; do
		grep -q "ev=call call=$call " log || { echo "not in the log: $call"; false; }
	done
	"$EAGAIN" record "$PROGRAMS/traps" sleeping-and-waiting >/dev/null
	"$EAGAIN" report | grep -q 'waited .* for children, slept '
}
