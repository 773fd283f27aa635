# The calls that are plain and timed: poll, select, epoll, transfers at an offset, sleeping and waiting.

load helper

@test "poll, select, epoll: results, timeouts, masks, bad arguments" {
	same "$PROGRAMS/traps" poll-family
}

@test "pread, preadv, sendfile, splice, tee, vmsplice, copy_file_range, fsync" {
	same "$PROGRAMS/traps" transfers
}

@test "sleep, nanosleep, wait, waitpid, waitid" {
	same "$PROGRAMS/traps" sleeping-and-waiting
}

@test "signals, semaphores, messages, names: what waits for them, and what they bring" {
	same "$PROGRAMS/traps" signals-waited-for
	same "$PROGRAMS/traps" semaphores-and-messages
	same "$PROGRAMS/traps" names
	cd "$BATS_TEST_TMPDIR"
	for trap in signals-waited-for semaphores-and-messages names; do
		"$EAGAIN" record "$PROGRAMS/traps" $trap >/dev/null
		"$EAGAIN" log >>log
		rm -r eagain.trace
	done
	for call in pause sigsuspend sigwait sigwaitinfo sigtimedwait mq_receive mq_timedreceive mq_send mq_timedsend lockf getaddrinfo \
		getnameinfo gethostbyname gethostbyaddr; do
		grep -q "ev=call call=$call " log || { echo "not in the log: $call"; false; }
	done
	grep -q 'call=mq_receive fd=[0-9]* name="\?mqueue:/ipc-' log
	grep -q 'call=getaddrinfo fd=- name=- ret=-1 errno=ENOENT' log
	for call in semop semtimedop msgsnd msgrcv; do
		grep -q "ev=lock call=$call .* dur=.* addr=0x" log || { echo "not in the log: $call"; false; }
	done
}

@test "poll and select with more than there is; a call that its handler makes ready; fast open; a sandbox that allows nothing more" {
	same "$PROGRAMS/traps" poll-bounds
	same "$PROGRAMS/traps" interrupted-and-ready
	same "$PROGRAMS/traps" fastopen-connect
	same "$PROGRAMS/traps" narrow-sandbox
}

@test "what opens fds: the same numbers and errors, and in the log with its name" {
	same "$PROGRAMS/traps" openings
	cd "$BATS_TEST_TMPDIR"
	"$EAGAIN" record "$PROGRAMS/traps" openings >/dev/null
	"$EAGAIN" log >log
	for call in open openat creat socket eventfd timerfd_create signalfd inotify_init epoll_create memfd_create; do
		grep -q "ev=call call=$call fd=\([0-9]*\) name=.* ret=\1 " log || { echo "not in the log: $call"; false; }
	done
	grep -q 'call=open fd=[0-9]* name=[^ ]*/file ret=' log
	grep -q 'call=open fd=- name=- ret=-1 errno=ENOENT' log
	grep -q 'ev=fd call=- fd=[0-9]* name=pipe:' log
}

@test "messages, accept, connect and raw numbers that would block are operations" {
	cd "$BATS_TEST_TMPDIR"
	blocks() {
		"$EAGAIN" record "$PROGRAMS/matrix" run "$3" >/dev/null 2>&1
		"$EAGAIN" log | grep -q "ev=EWOULDBLOCK call=$1 .* way=$2" || { echo "no $1 by $2"; false; }
	}
	blocks recvmsg MSG_DONTWAIT /message/unix-stream/in/recvmsg_10/data-later/none/main
	blocks accept guard /connection/tcp-listener/in/accept_plain/client-later/none/main
	blocks connect O_NONBLOCK /connection/to-tcp-full/
	blocks read RWF_NOWAIT /raw/pipe/in/raw_read/data-later/none/main
}

@test "how children end and what threads are called is known" {
	command -v python3 >/dev/null || skip "python3 is not installed"
	cd "$BATS_TEST_TMPDIR"
	"$EAGAIN" record sh -c '"$PROGRAMS/traps" end 3; "$PROGRAMS/traps" end -9; "$PROGRAMS/load" threads 2 3; true' >/dev/null 2>&1
	"$EAGAIN" log | grep -q 'ev=reap .* status=3$'
	"$EAGAIN" log | grep -q 'ev=reap .* signal=9$'
	"$EAGAIN" report --json >report.json
	python3 - <<-'PYTHON'
		import json
		processes = json.load(open("report.json"))["processes"]
		ends = [(p["exit_status"], p["signal"]) for p in processes if p["command"].split()[1] == "end"]
		assert (3, None) in ends and (None, 9) in ends, ends
		threads = [t for p in processes for t in p["threads"] if p["command"].split()[1] == "threads"]
		assert len(threads) == 3 and all(t["name"] == "load" and t["cpu_ns"] > 0 for t in threads), threads
	PYTHON
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
	grep -q 'ev=ready call=epoll_wait fd=[0-9]* name=pipe' log
	"$EAGAIN" record "$PROGRAMS/traps" transfers >/dev/null
	"$EAGAIN" log >log
	for call in pread64 pwrite64 preadv pwritev preadv2 pwritev2 sendfile splice tee vmsplice copy_file_range fsync fdatasync; do
		grep -q "ev=call call=$call " log || { echo "not in the log: $call"; false; }
	done
	"$EAGAIN" record "$PROGRAMS/traps" sleeping-and-waiting >/dev/null
	"$EAGAIN" report | grep -q 'waited .* for children, slept '
}
