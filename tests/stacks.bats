# Stacks: where an event loop was when it stalled, with the names of functions.

load helper

setup() {
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
}

# sampled COUNT CMD...: a report that says where so many stalls computed, or why it is not known.  What is less than a tenth of a stall is
# not told of, and a busy machine may leave it no more: then once more.
sampled() {
	local count=$1
	shift
	for _ in 1 2 3 4 5; do
		"$EAGAIN" record --stacks "$@" >said
		"$EAGAIN" report >report
		[ "$(grep -c 'computed in (\|could not be sampled\|is not known' report)" -lt "$count" ] || return 0
	done
	! grep -q 'switched out while others ran' report || skip "the machine is too busy"
}

@test "stacks: of a wait for a lock, of a sleep, of another call" {
	for cause in mutex:wait_for_mutex semaphore:wait_for_semaphore select-sleep:sleep_in_select read:read_slowly poll-inside:poll_inside; do
		"$EAGAIN" record --stacks "$PROGRAMS/stalls" epoll "${cause%:*}" >said
		"$EAGAIN" report >report
		grep -Eq "^ +waited in (${cause#*:}|serve|main)( < .*)? < _start\$" report || { cat report; false; }
	done
	"$EAGAIN" record --stacks "$PROGRAMS/stalls" epoll mutex >said
	"$EAGAIN" report | grep -q '^ *waited in wait_for_mutex < .*main < '
}

@test "stacks: of what it computed" {
	sampled 1 "$PROGRAMS/stalls" poll compute
	! grep 'could not be sampled' report || skip "the kernel does not allow it (perf_event_paranoid)"
	grep -Eq '^ +computed in \([1-8] of [1-8] samples\) compute < .*main < ' report
}

@test "stacks: where sampling is refused, the report says so, and the rest is there" {
	ulimit -v 8000000
	sampled 1 "$PROGRAMS/stalls" poll compute
	grep -q 'stalled 1 time' report
	grep -q '^ *where it computed is not known: it could not be sampled: Cannot allocate memory$' report
}

@test "stacks: none unless asked for" {
	"$EAGAIN" record "$PROGRAMS/stalls" epoll mutex >said
	run -1 grep 'waited in \|computed in \|sampled' <("$EAGAIN" report)
	run -1 grep '"stack"\|"samples"' <("$EAGAIN" report --json)
}

@test "stacks: report --json: functions, objects, addresses" {
	need_program python3 nm
	"$EAGAIN" record --stacks "$PROGRAMS/stalls" epoll mutex >said
	"$EAGAIN" report --json >report.json
	nm "$PROGRAMS/stalls" >symbols
	python3 - <<-'PYTHON'
		import json
		start = {words[2]: int(words[0], 16) for words in map(str.split, open("symbols")) if len(words) == 3}
		(stall,) = [s for p in json.load(open("report.json"))["processes"] for s in p["stalls"]["list"] if s["loop"] == "epoll"]
		functions = [f["function"] for f in stall["stack"]]
		assert functions[0] == "wait_for_mutex" and "main" in functions and functions[-1] == "_start", functions
		for f in stall["stack"]:
		    if f["object"].endswith("/stalls"):
		        later = [a for a in start.values() if a > start[f["function"]]]
		        assert start[f["function"]] <= int(f["address"], 16) < min(later, default=1 << 60), f
	PYTHON
}

@test "stacks: of a stripped program, the file and where in it" {
	need_program strip
	strip -o bare "$PROGRAMS/stalls"
	"$EAGAIN" record --stacks ./bare epoll mutex >said
	"$EAGAIN" report | grep -Eq '^ +waited in bare\+0x[0-9a-f]+ < bare\+0x[0-9a-f]+ < '
}

@test "stacks: a file that is another by now: a FIFO, a directory, none, damaged" {
	cp "$PROGRAMS/stalls" program
	"$EAGAIN" record --stacks ./program epoll mutex >said
	"$EAGAIN" report | grep -q 'wait_for_mutex < '
	rm program
	timeout 20 "$EAGAIN" report | grep -q 'waited in program+0x'
	mkfifo program
	timeout 20 "$EAGAIN" report | grep -q 'waited in program+0x'
	rm program
	mkdir program
	timeout 20 "$EAGAIN" report | grep -q 'waited in program+0x'
	rmdir program
	mkdir good
	cp "$PROGRAMS/stalls" good/program
	RANDOM=7
	for _ in $(seq 40); do
		damage good bad
		cp bad/program program
		timeout 20 "$EAGAIN" report >report
		timeout 20 "$EAGAIN" report --json >report
	done
}

@test "stacks: another program by the same name, by now, names nothing" {
	need_program readelf
	readelf -n "$PROGRAMS/stalls" | grep -q 'Build ID: [0-9a-f]\{40\}$' || skip "the compiler gives programs no build ID"
	cp "$PROGRAMS/stalls" program
	"$EAGAIN" record --stacks ./program epoll mutex >said
	"$EAGAIN" report | grep -q 'wait_for_mutex < '
	cp "$PROGRAMS/stacks" another
	mv another program
	"$EAGAIN" report | grep -Eq '^ +waited in program\+0x[0-9a-f]+ < program\+0x'
}

@test "stacks: a child of an event loop has samples of its own" {
	need_program python3
	sampled 2 /usr/bin/python3 -c '
import os, select, time
def loop(seconds):
    poll, pipe = select.epoll(), os.pipe()
    poll.register(pipe[0], select.EPOLLIN)
    os.write(pipe[1], b"x")
    for i in range(2):
        poll.poll()
        end = time.thread_time() + seconds
        while time.thread_time() < end: sum(range(20000))
loop(0.06)
if os.fork() == 0:
    loop(0.06)
    os._exit(0)
os.wait()'
	[ "$(grep -c 'stalled 1 time' report)" = 2 ]
	! grep 'could not be sampled' report || skip "the kernel does not allow it (perf_event_paranoid)"
	[ "$(grep -c 'computed in (.* samples)' report)" = 2 ]
}

@test "stacks: programs do what they do natively" {
	need_program python3
	export EAGAIN_STACKS=1 EAGAIN_STALL=1
	for trap in cancellation longjmp-many handler-does-io fork-among-threads threads-come-and-go; do
		same "$PROGRAMS/traps" $trap
	done
	for how in compute lock read; do
		same /usr/bin/python3 "$TOP/tests/real/loops/slow.py" asyncio $how
	done
}

@test "stacks: that cannot be walked, on little stack, in a handler, in a sandbox" {
	for how in lie generate small handler sandbox errno; do
		EAGAIN_STACKS=1 same "$PROGRAMS/stacks" $how
	done
	"$EAGAIN" record --stacks "$PROGRAMS/stacks" lie
	"$EAGAIN" report --json | grep -q '"function":"call_with_table"' || [ "$(uname -m)" != x86_64 ]
}

@test "stacks: a library computed, and is gone when its samples are looked at" {
	EAGAIN_STACKS=1 MODES=record.auto same "$PROGRAMS/stacks" unload
}

@test "stacks: of a process with threads, the first is sampled, and no other: that would need an fd" {
	EAGAIN_STACKS=1 MODES=record.auto same "$PROGRAMS/stacks" threads
	# A busy machine may leave the first no tenth of its stall: then once more.
	for _ in 1 2 3 4 5; do
		"$EAGAIN" record --stacks "$PROGRAMS/stacks" threads
		"$EAGAIN" report >report
		"$EAGAIN" report --json >json
		! grep -q '"samples":\[\[.*"function":"begin_threads"' json || break
		! grep -q 'could not be sampled' report || break
	done
	grep -q '^ *where it computed is not known\( of threads but the first, which alone can be sampled$\|: \)' report
	! grep 'could not be sampled' report || skip "the kernel does not allow it (perf_event_paranoid)"
	grep -q '"samples":\[\[.*"function":"begin_threads"' json
}
