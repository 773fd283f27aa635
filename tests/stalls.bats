# Stalls: an event loop that is kept from its polls, by each cause; and waits for locks, which are what they are natively.

load helper

setup() {
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
}

# judge CLASS: the longest stall of an event loop in report.json, as "CLASS LOOP TID: LOCK HELD_BY CALL FD".  Where CLASS is not that it
# was switched out, that does not count: a machine may be busy.  All numbers of the report must add up.
judge() {
	python3 - "$1" <<-'PYTHON'
		import json, sys
		classes = ["computing", "page_faults", "lock", "asleep", "call", "unseen", "switched_out"]
		worst = None
		for p in json.load(open("report.json"))["processes"]:
		    stalls = p["stalls"]
		    loops = [s for s in stalls["list"] if s["loop"] != "park"]
		    assert stalls["count"] == len(loops) and stalls["ns"] == sum(s["ns"] for s in loops)
		    for s in stalls["list"] + ([stalls] if loops else []):
		        assert sum(s[c + "_ns"] for c in classes) == s["ns"], s
		    for s in loops:
		        assert s["ns"] >= stalls["limit_ns"] * 0.99 and s["class"] == max(classes, key=lambda c: s[c + "_ns"])
		        if not worst or s["ns"] > worst["ns"]:
		            worst = s
		    for t in p["threads"]:
		        waits = sum(t[k] for k in t if k.startswith("wait_")) + t["sleep_ns"]
		        assert waits <= t["wall_ns"] * 1.01
		        if t["cpu_ns"] is not None and waits <= t["wall_ns"]:
		            assert waits + t["cpu_ns"] - t["cpu_in_waits_ns"] + t["else_ns"] == t["wall_ns"], t
		if not worst:
		    print("none")
		else:
		    lock, call = worst.get("longest_lock", {}), worst.get("longest_call", {})
		    most = max(classes if sys.argv[1] == "switched_out" else classes[:-1], key=lambda c: worst[c + "_ns"])
		    print(most, worst["loop"], "%d:" % worst["tid"], lock.get("call"), lock.get("held_by"), call.get("call"), call.get("fd"))
	PYTHON
}

# stalled WAY CAUSE CLASS: it is found, and classed; the pipe that was written to in it was served when it was over.  Leaves said, log,
# and what judge says in verdict.
stalled() {
	local status=0 loop=$1
	need_program python3
	[ "$1" != many ] || loop=poll
	"$EAGAIN" record "$PROGRAMS/stalls" "$1" "$2" >said || status=$?
	[ $status != 77 ] || skip "the kernel, or the file system, does not allow it"
	[ $status = 0 ]
	"$EAGAIN" report --json >report.json
	"$EAGAIN" log >log
	judge "$3" >verdict
	cat verdict
	grep -qx "$3 ${loop/select/poll} $(sed -n 's/loop //p' said): .*" verdict
	awk -v tid="tid=$(sed -n 's/loop //p' said)" '
		function seconds(key) { match($0, " " key "=[0-9.]+"); return substr($0, RSTART + length(key) + 2) + 0 }
		{ t = substr($1, 3) + 0 }
		$3 == tid && /ev=away/ && seconds("dur") > longest { from = t; longest = seconds("dur"); to = t + longest }
		$3 == tid && /ev=call call=write .*ret=1 .*pipe:|ev=call call=write .*name=pipe:.* ret=1 / && from && t >= from && !ready { ready = t }
		$3 == tid && /ev=ready call=(poll|select|epoll_wait) .*name=pipe/ && ready && t >= to && !served { served = t }
		END { exit !(from && ready >= from && ready < to && served >= to) }' log
}

# held_by HOLDER: what the verdict says of the lock, and of who held it ("None": not known).
held_by() {
	local holder=$2
	[ "$2" != holder ] || holder=$(sed -n 's/holder //p' said)
	grep -q ": $1 $holder " verdict
	if [ "$holder" = None ]; then holder=; else holder=" held_by=$holder"; fi
	grep -q "ev=lock call=$1 fd=- .* dur=[0-9.]* addr=0x[0-9a-f]*$holder\$" log
}

@test "a stall: it computed" {
	stalled epoll compute computing
	stalled poll compute computing
	stalled select compute computing
}

@test "a stall in poll from a kept set" {
	stalled many compute computing
	grep -q 'call=poll .*way=kept' log
}

@test "a stall: it was switched out while others ran" {
	stalled epoll switched-out switched_out
	grep -q 'ev=away .* involuntary=[1-9]' log
	"$EAGAIN" report | grep -q 's switched out while others ran ([0-9]* times)'
}

@test "a stall: the page faults of the recording are not the program's" {
	# shellcheck disable=SC2016 # perl's
	"$EAGAIN" record perl -e 'open Z, "/dev/zero"; pipe R, W; syswrite W, "x"; vec($in, fileno R, 1) = 1;
		sub ready { select(my $r = $in, undef, undef, undef) } ready; for (1 .. 2) { sysread Z, $b, 1 for 1 .. 100000; ready }'
	"$EAGAIN" report --json >json
	[ "$(grep -o '"minor_faults":[0-9]*' json | wc -l)" -ge 2 ]
	# A page of the trace has room for 128 of them.
	[ "$(grep -o '"m[a-z]*_faults":[0-9]*' json | awk -F: '{ n += $2 } END { print n }')" -lt 500 ]
}

@test "a stall: page faults, of a file on its disk, and of new memory" {
	stalled epoll minor-faults page_faults
	stalled epoll major-faults page_faults
	"$EAGAIN" report | grep -q 'in page faults ([1-9][0-9]* major, [0-9]* minor)'
}

@test "a stall: it waited for a mutex that another thread held, which is named" {
	stalled epoll mutex lock
	held_by pthread_mutex_lock holder
	"$EAGAIN" report | grep -q "waiting for locks (pthread_mutex_lock 0x[0-9a-f]*, held by tid $(sed -n 's/holder //p' said))"
	"$EAGAIN" report | grep -q 'waited .* for locks'
	"$EAGAIN" timeline | grep -q 'llll'
}

@test "a stall: it waited for an rwlock, for a thread's end" {
	stalled epoll rwlock lock
	held_by pthread_rwlock_rdlock holder
	stalled poll join lock
	held_by pthread_join holder
}

@test "a stall: it waited for a condition, a semaphore, a barrier, a futex" {
	stalled epoll condition lock
	held_by pthread_cond_wait None
	stalled epoll semaphore lock
	held_by sem_wait None
	stalled select barrier lock
	held_by pthread_barrier_wait None
	stalled poll futex lock
	held_by futex None
}

@test "a stall: it waited for a mutex, a condition, a thread of C11" {
	stalled epoll mtx lock
	held_by mtx_lock holder
	stalled poll cnd lock
	held_by cnd_timedwait None
	stalled select thrd lock
	held_by thrd_join holder
}

@test "a stall: it slept, also in a select of no fds" {
	stalled epoll sleep asleep
	stalled epoll thrd-sleep asleep
	stalled poll select-sleep asleep
	"$EAGAIN" report | grep -q ', slept [1-9]'
}

@test "a stall: it was in another call, for a pipe, a file's lock or a child; an epoll loop also in poll" {
	stalled epoll read call
	grep -q ' read [0-9]*$' verdict
	stalled epoll poll-inside call
	grep -q ' poll [0-9]*$' verdict
	"$EAGAIN" report | grep -q 'in other calls (poll, fd [0-9]*, pipe:\[[0-9]*\])'
	stalled epoll flock call
	grep -q ' flock [0-9]*$' verdict
	stalled poll fcntl call
	grep -q ' fcntl [0-9]*$' verdict
	"$EAGAIN" report | grep -q 'in other calls (fcntl, fd [0-9]*, /.*/locked)'
	stalled select child call
	grep -q ' waitpid None$' verdict
}

@test "a stall: it was in a call that libc makes whole: for a name, a signal, a message, a lock of a file, a command" {
	stalled epoll getaddrinfo call
	grep -q ' getaddrinfo None$' verdict
	"$EAGAIN" report | grep -q 'in other calls (getaddrinfo)'
	"$EAGAIN" timeline | grep -q 'rrrr'
	stalled poll sigwait call
	grep -q ' sigwait None$' verdict
	"$EAGAIN" report | grep -q ', waited [0-9.]* m\?s for signals'
	"$EAGAIN" timeline | grep -q 'gggg'
	stalled select sigsuspend call
	grep -q ' sigsuspend None$' verdict
	stalled epoll mq-receive call
	grep -q ' mq_receive [0-9]*$' verdict
	"$EAGAIN" report | grep -q 'in other calls (mq_receive, fd [0-9]*, mqueue:/stalls-[0-9]*'
	stalled epoll lockf call
	grep -q ' lockf [0-9]*$' verdict
	"$EAGAIN" report | grep -q ', waited [0-9.]* m\?s for locks'
	"$EAGAIN" timeline | grep -q 'llll'
	stalled poll own-lock call
	grep -q ' fcntl [0-9]*$' verdict
	stalled epoll system call
	grep -q ' system None$' verdict
	stalled epoll pclose call
	grep -q ' pclose None$' verdict
	"$EAGAIN" report | grep -q ', waited [0-9.]* m\?s for children'
}

@test "a stall: it waited for a semaphore, a message of System V, which are named" {
	stalled epoll semop lock
	held_by semop None
	"$EAGAIN" report | grep -q 'waiting for locks (semop 0x[0-9a-f]*)'
	stalled poll msgrcv lock
	held_by msgrcv None
}

# parts: of the only thread in report.json, in ms: its waits, CPU time, that in its waits, the rest, and all of its time, which is their sum.
parts() {
	python3 - <<-'PYTHON'
		import json
		(process,) = json.load(open("report.json"))["processes"]
		(t,) = process["threads"]
		waits = sum(t[k] for k in t if k.startswith("wait_")) + t["sleep_ns"]
		assert waits + t["cpu_ns"] - t["cpu_in_waits_ns"] + t["else_ns"] == t["wall_ns"] == process["wall_ns"], t
		print(*(n // 1000000 for n in (waits, t["cpu_ns"], t["cpu_in_waits_ns"], t["else_ns"], t["wall_ns"])))
	PYTHON
}

@test "CPU time inside a wait, and a wait inside a wait, count once" {
	need_program python3
	"$EAGAIN" record --no-keep "$PROGRAMS/inside" poll
	"$EAGAIN" report --json >report.json
	parts | tee said
	note "polls of many fds, never ready: waits, CPU time, that in waits, rest, all: $(<said) ms"
	rm -r eagain.trace
	# So much CPU time as there is no room for beside its waits.
	"$EAGAIN" record "$PROGRAMS/inside" sleep
	rewrite eagain.trace "$(kind_of USAGE)" 16 0065cd1d00000000
	"$EAGAIN" report >report
	"$EAGAIN" report --json >report.json
	parts | tee said
	awk '{ exit !($1 >= 590 && $2 >= 490 && $3 > 400 && $3 <= $2) }' said
	grep -q 'slept 0\.[6-9][0-9]* s, computed 0\.[45][0-9]* s, of it 0\.[45][0-9]* s in these waits' report
	"$EAGAIN" export svg | grep -q 'slept [0-9.]* s, computed [0-9.]* s, of it [0-9.]* s in these waits'
	# The verdict counts it as what it computed.
	grep -Eq 'Where the time went: .*\) (slept [0-9.]+ m?s, )?computed [0-9.]+ m?s' report
	rm -r eagain.trace
	"$EAGAIN" record "$PROGRAMS/inside" handler
	"$EAGAIN" report --json >report.json
	parts | tee said
	awk '{ exit !($1 >= 450 && $1 <= $5) }' said
	"$EAGAIN" report | grep -q 'waited [0-9.]* s for signals, slept 0\.[3-9]'
}

@test "no stall: a thread that never polls, a child that has not polled, what is shorter than --stall" {
	"$EAGAIN" record sh -c 'sleep 0.05; i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done'
	run -1 grep -e 'ev=away .*loop=\(poll\|epoll\)' <("$EAGAIN" log)
	"$EAGAIN" record "$PROGRAMS/stalls" epoll fork >said
	[ "$("$EAGAIN" log | sed -n 's/.* tid=\([0-9]*\) .*ev=away.*/\1/p' | sort -u)" = "$(sed -n 's/loop //p' said)" ]
	"$EAGAIN" record --stall=60000 "$PROGRAMS/stalls" epoll compute >said
	run -1 grep ev=away <("$EAGAIN" log)
	EAGAIN_STALL=60000 "$EAGAIN" record "$PROGRAMS/stalls" poll sleep >said
	run -1 grep 'stalled' <("$EAGAIN" report)
	EAGAIN_STALL=60000 "$EAGAIN" record --stall=30 "$PROGRAMS/stalls" poll sleep >said
	"$EAGAIN" report | grep -q 'stalled 1 time for more than 30.0 ms, [0-9.]* ms in all: [0-9.]* ms asleep'
	for bad in 0 x 1K -1; do
		run -2 "$EAGAIN" record --stall=$bad true
	done
}

@test "a thread that waits in its reads: what came between is in the log, and no stall" {
	"$EAGAIN" record perl -e 'pipe R, W; if (!fork) { system "$ENV{PROGRAMS}/asleep", getppid; syswrite W, "abc"; exit }
		sysread R, $x, 3; my $t = times; 1 while times - $t < 0.1; syswrite W, "d"; sysread R, $x, 3'
	"$EAGAIN" log | grep -q 'ev=away call=\(write\|read\) .* loop=park cpu='
	run -1 grep 'stalled' <("$EAGAIN" report)
}

@test "a deadlock: still waiting when it was killed, and for whom" {
	mkfifo out
	exec {both}<>out
	"$EAGAIN" -o report "$PROGRAMS/stalls" epoll deadlock >out {both}<&- &
	read -r _ pid <&"$both"
	until read -r said <&"$both" && [ "$said" = waits ]; do :; done
	# Both wait when both are asleep in futex(2), 202 on x86-64 and 98 on aarch64, and were for long.
	for _ in 1 2 3; do
		until [ "$(awk '{ print $1 }' /proc/"$pid"/task/*/syscall | sort | uniq -c | awk '$2 == 202 || $2 == 98 { print $1 }')" = 2 ]; do
			kill -0 "$pid"
			sleep 0.02
		done
	done
	kill -9 "$pid"
	ends_with 137 $!
	grep -Eq 'waiting for locks \(pthread_rwlock_rdlock 0x[0-9a-f]*, held by tid [0-9]*\).*; still at the end$' report
	grep -Eq 'threads, together: .*waited .* for locks' report
}

@test "the live log: waits for locks, and absences" {
	"$EAGAIN" run --log=live "$PROGRAMS/stalls" epoll mutex >said
	holder=$(sed -n 's/holder //p' said)
	grep -q "ev=lock call=pthread_mutex_lock fd=- name=- ret=- errno=- dur=0\.[0-9]* addr=0x[0-9a-f]* held_by=$holder\$" live
	grep -q 'ev=away call=epoll_wait fd=- name=- ret=- errno=- dur=0\.[0-9]* loop=epoll cpu=0\.[0-9]* system=0\.[0-9]* involuntary=[0-9]* voluntary=[0-9]* minor=[0-9]* major=[0-9]*$' live
}

@test "damaged traces of locks and stalls: read, or refused" {
	"$EAGAIN" record -o good "$PROGRAMS/stalls" epoll semaphore >said
	RANDOM=1
	for _ in $(seq 60); do
		damage good bad
		for verb in report 'report --json' log timeline; do
			status=0
			# shellcheck disable=SC2086 # a verb and its option
			timeout 20 "$EAGAIN" $verb bad >out 2>err || status=$?
			[ "$status" -le 1 ] || { echo "$verb: status $status"; cat err; false; }
		done
	done
	# An absence, and a wait, that end beyond all time.
	for kind in LOCK AWAY; do
		rm -rf bad
		cp -r good bad
		rewrite bad "$(kind_of $kind)" 24 ffffffffffffff7f
		"$EAGAIN" log bad >out
		run -1 diff out <("$EAGAIN" log good)
		for verb in report 'report --json' timeline 'export html'; do
			# shellcheck disable=SC2086 # a verb and its option
			"$EAGAIN" $verb bad >out
		done
	done
}

@test "locks: each function in each state does what it does natively" {
	same "$PROGRAMS/locks"
	: >waited
	[ "$(wc -l <"$BATS_TEST_TMPDIR/native/stdout")" -gt 900 ]
	# On a busy machine a lock may be free again before it is asked for: then once more.
	for _ in 1 2 3 4 5; do
		"$EAGAIN" log "$BATS_TEST_TMPDIR/trace.record.auto" | sed -n 's/.*ev=lock call=\([a-z_]*\) .*/\1/p' | sort -u - waited -o waited
		[ "$(wc -l <waited)" -lt 25 ] || break
		observe record.auto "$PROGRAMS/locks"
	done
	[ "$(wc -l <waited)" = 25 ] || { cat waited; false; }
}

@test "locks: a program that was linked with the conditions of LinuxThreads" {
	same "$PROGRAMS/old_condition"
	grep -qx told "$BATS_TEST_TMPDIR/native/stdout"
}

@test "locks: threads of Python and C++" {
	need_program python3
	same /usr/bin/python3 -c '
import queue, threading
q, lock, n = queue.Queue(), threading.Lock(), 0
barrier, semaphore = threading.Barrier(4), threading.Semaphore(2)
def work():
    global n
    barrier.wait()
    for _ in range(3000):
        with lock: n += 1
    with semaphore: q.put(1)
threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads: t.start()
for t in threads: q.get(timeout=60)
for t in threads: t.join()
print(n, lock.acquire(timeout=0.01), lock.acquire(timeout=0.01))'
	command -v g++ >/dev/null || skip "g++ is not installed"
	cat >threads.cc <<-'END'
		#include <condition_variable>
		#include <future>
		#include <iostream>
		#include <mutex>
		#include <shared_mutex>
		#include <thread>
		#include <vector>
		int main() {
			std::mutex m; std::timed_mutex timed; std::shared_mutex shared; std::recursive_mutex recursive;
			std::condition_variable condition; std::vector<std::thread> threads; bool go = false; long n = 0;
			for (int i = 0; i < 8; i++) threads.emplace_back([&] {
				{ std::unique_lock l(m); condition.wait(l, [&] { return go; }); }
				for (int k = 0; k < 5000; k++) { std::lock_guard a(m); std::lock_guard b(recursive); std::lock_guard c(recursive); n++; }
				std::shared_lock s(shared); std::unique_lock t(timed, std::chrono::seconds(60));
			});
			{ std::lock_guard l(m); go = true; }
			condition.notify_all();
			for (auto &t : threads) t.join();
			std::unique_lock l(m);
			std::cout << n << condition.wait_for(l, std::chrono::milliseconds(1), [] { return false; }) << timed.try_lock() << "\n";
			try { std::async(std::launch::async, [] { throw 5; }).get(); } catch (int e) { std::cout << "caught " << e << "\n"; }
		}
	END
	g++ -std=c++17 -O1 -pthread -o threads threads.cc
	same "$PWD/threads"
}

# loop_stalled CLASS LOOP CMD...: CMD says "begin" and "end" on stderr, and was away from its polls around both.
loop_stalled() {
	local class=$1 loop=$2
	shift 2
	need_program python3
	"$EAGAIN" record "$@" 2>err
	grep -qx end err
	"$EAGAIN" report --json >report.json
	judge "$class" >verdict
	cat verdict
	grep -qx "$class $loop .*" verdict
	"$EAGAIN" log | awk '
		{ t = substr($1, 3) + 0; match($0, " dur=[0-9.]+"); end = t + substr($0, RSTART + 5) }
		/ev=away/ && /loop=(poll|epoll)/ { from[++n] = t; to[n] = end }
		/ev=call call=write fd=2 name=[^ ]*\/err / { said[++m] = t }
		END { for (i = 1; i <= n; i++) if (m == 2 && from[i] <= said[1] && said[2] <= to[i]) exit 0; exit 1 }'
}

@test "asyncio with a slow callback: found, classed, placed" {
	for how in 'asleep sleep' 'computing compute' 'lock lock' 'call read'; do
		loop_stalled "${how% *}" epoll /usr/bin/python3 "$TOP/tests/real/loops/slow.py" asyncio "${how#* }"
	done
}

@test "Tornado with a slow callback" {
	/usr/bin/python3 -c 'import tornado' || skip "Tornado is not installed"
	loop_stalled computing epoll /usr/bin/python3 "$TOP/tests/real/loops/slow.py" tornado compute
}

# bats test_tags=all
@test "Twisted with a slow callback, in select, poll and epoll" {
	/usr/bin/python3 -c 'import twisted' || skip "Twisted is not installed"
	for way in select poll epoll; do
		loop_stalled lock "${way/select/poll}" /usr/bin/python3 "$TOP/tests/real/loops/slow.py" twisted-$way lock
	done
}

@test "libev and libevent with a slow callback" {
	[ -e /usr/include/ev.h ] && [ -e /usr/include/event2/event.h ] || skip "libev-dev or libevent-dev is not installed"
	gcc -O1 -DLIBEV -o with_libev "$TOP/tests/real/loops/slow.c" -lev
	gcc -O1 -o with_libevent "$TOP/tests/real/loops/slow.c" -levent
	loop_stalled asleep epoll ./with_libev
	loop_stalled asleep epoll ./with_libevent
}
