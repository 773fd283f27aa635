# Requests of POSIX AIO in the trace: each from its submission until it is collected, in all views.

load helper

CHECKS=$TOP/tests/export

setup() {
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
	export PYTHONPATH=$TOP/tests PYTHONDONTWRITEBYTECODE=1
	unset COLUMNS
}

# requests STATUS [OPTION...] NAME...: records programs/requests.c, which ends so; once more where the machine was too busy for what
# it is to show.
requests() {
	local wanted=$1 status options=()
	shift
	for (( ; $# ; )); do
		[[ $1 == -* ]] || break
		options+=("$1")
		shift
	done
	for _ in {1..50}; do
		rm -rf eagain.trace
		status=0
		"$EAGAIN" record "${options[@]}" "$PROGRAMS/requests" "$@" || status=$?
		[ $status = 75 ] || break
	done
	[ $status = "$wanted" ]
}

# recorded NAME...: a trace of it, and its log.
recorded() {
	requests 0 "$@"
	"$EAGAIN" log >log
	grep -q 'ev=submitted' log || skip "requests are not served here"
}

# life OP: what became of a request, in order: the events, and what they say of it.
life() {
	sed -n "s/.* op=$1 ev=\([a-zA-Z]*\) call=\([a-z_]*\) .* ret=\([-0-9]*\) errno=\([-A-Z]*\).*/\1 \2 \3 \4/p" log
}

# told FILTER: of the report.
told() {
	"$EAGAIN" report --json | jq -r ".aio.total | $1"
}

@test "a request: submitted, completed, seen, collected; by whom, for how much, where" {
	recorded reads
	[ "$(life 1)" = $'submitted aio_read - -\ncompleted aio_read 4096 -\nseen aio_error 4096 -\ncollected aio_return 4096 -' ]
	grep -Eq ' op=1 ev=submitted call=aio_read fd=[0-9]+ name=.*/data ret=- errno=- dur=[0-9.]+ length=4096 offset=4096$' log
	grep -Eq ' op=1 ev=completed .* dur=[0-9.]+' log
	# What was done in the call was over before the call returned; and times go on.
	awk '{ match($0, /t=[0-9.]+/); t = substr($0, 3, RLENGTH - 2) + 0; if (t < last) exit 1; last = t }' log
	recorded syncs
	[ "$(life 2)" = $'submitted aio_fsync - -\ncompleted aio_fsync 0 -\nseen aio_suspend 0 -\ncollected aio_return 0 -' ] ||
		[ "$(life 2)" = $'submitted aio_fsync - -\ncompleted aio_fsync 0 -\nseen aio_error 0 -\ncollected aio_return 0 -' ]
}

@test "csv and json say what the log says; the live log says it, too" {
	for name in lists canceled thread; do
		recorded "$name"
		"$EAGAIN" export csv >csv
		"$EAGAIN" export json >json
		/usr/bin/python3 "$CHECKS/lines.py" log csv json >/dev/null
		jq -se 'map(select(.ev == "submitted" and .length == 16777216 and .offset != null and .call == "aio_write")) | length > 0' json >/dev/null
	done
	env EAGAIN_LOG="$PWD/live" LD_PRELOAD="$LIBRARY" "$PROGRAMS/requests" signal
	cp live log
	[ "$(life 1)" = $'submitted aio_write - -\ncompleted aio_write 16777216 -\nnotified aio_write - -\ncollected aio_return 16777216 -' ] ||
		[ "$(life 1 | sort)" = $'collected aio_return 16777216 -\ncompleted aio_write 16777216 -\nnotified aio_write - -\nsubmitted aio_write - -' ]
}

@test "it computes meanwhile: overlapped, and drawn as the talk draws it" {
	recorded computes
	[ "$(told '.writes == 2 and .bytes_written == 33554432 and .completed == 2 and .open == 0')" = true ]
	[ "$(told '.waited_ns == 0 and .computed_ns > 0 and .computed_ns <= .in_flight_ns and .p50_ns <= .p99_ns and .p99_ns <= .max_ns')" = true ]
	[ "$(told '.most_in_flight <= 2')" = true ]
	run -0 "$EAGAIN" report
	ordered 'Asynchronous I/O' ': 2 writes of 32.0 MiB' '50% within' ' in flight' 'overlapped by computing' '/data'
	run -0 "$EAGAIN" timeline --op=2
	ordered 'op 2: aio_write() on fd ' 'completed with 16777216 after' 'User space' 'aio_write()' 'computes for' 'aio_error():' '[buffer]' \
		'parameters' 'in flight' 'completed: 16777216' 'Kernel space' 't0 ' 't1 ' 't2 ' 't3 ' 't4' \
		'aio_write() called: 16777216 bytes at 0' 'submitted' 'completed: 16777216' 'aio_error(): it is over' 'aio_return() returns 16777216'
	run -1 grep -q 'waiting in' <<<"$output"
	for width in 60 80 200; do
		COLUMNS=$width "$EAGAIN" timeline --op=2 >picture
		awk -v width=$width 'length > width { exit 1 }' picture
	done
	# The threads that serve it are none of the program's.
	[ "$("$EAGAIN" report --json | jq '.processes[0].threads | length')" = 1 ]
	[ "$("$EAGAIN" timeline | grep -c 'tid ')" = 0 ]
	"$EAGAIN" timeline | grep -Eq '^  requests in flight +\.*[1-9]+'
	"$EAGAIN" timeline --by=fd | grep -Eq '^  fd [0-9]+ .*--[1-9]+-'
}

@test "it waits at once: aio_suspend is a wait, for its requests" {
	recorded suspends
	[ "$(told '.waited_ns > 0 and .waited_ns + .computed_ns <= .in_flight_ns')" = true ]
	"$EAGAIN" report --json | jq -e '.processes[0].threads[0].wait_aio_ns > 0' >/dev/null
	grep -Eq 'ev=call call=aio_suspend fd=- name=- ret=0 ' log
	run -0 "$EAGAIN" report
	ordered ' for its asynchronous I/O' 'spent waiting for it'
	run -0 "$EAGAIN" timeline
	ordered 'aa' 'a waits for its asynchronous I/O' 'requests in flight, * more'
	run -0 "$EAGAIN" timeline --op=2
	ordered 'computes for' 'waiting in aio_suspend()' 'in flight' 't2 ' 'waits in aio_suspend()' 'completed: 16777216'
	"$EAGAIN" export folded | grep -Eq '^[^;]*requests suspends[^;]*;.*aio_suspend [0-9]+$'
}

@test "many in flight at once" {
	recorded many
	[ "$(told '[.writes, .bytes_written, .completed, .open] | @csv')" = 32,33554432,32,0 ]
	[ "$(told '.most_in_flight > 1 and .most_in_flight <= 32 and .sum_ns >= .in_flight_ns')" = true ]
	[ "$("$EAGAIN" export json | jq -s 'map(select(.ev == "collected") | .op) | unique | length')" = 32 ]
}

@test "notices: a signal, a thread; of a list, all at once" {
	recorded signal
	grep -Eq ' op=1 ev=notified call=aio_write .* by=signal$' log
	[ "$(life 1 | cut -d' ' -f1 | paste -sd' ')" = 'submitted completed notified collected' ]
	"$EAGAIN" timeline --op=1 | grep -q 'notified by a signal'
	recorded thread
	# By the thread that was made for it, which collects.
	grep -q 'ev=notified .* by=thread$' log
	awk '/ev=submitted/ { by = $3 } /ev=notified/ { told = $3 } /ev=collected/ { got = $3 } END { exit !(told == got && told != by) }' log
	"$EAGAIN" timeline --op=1 | grep -q 'notified by a thread (tid'
	recorded list-told
	list=$(sed -n 's/.* op=\([0-9]*\) ev=notified call=lio_listio .* by=signal$/\1/p' log)
	[ "$(grep -c "ev=submitted .* list=$list\$" log)" = 2 ]
	"$EAGAIN" timeline --op="$(sed -n 's/.* op=\([0-9]*\) ev=submitted .*/\1/p' log | head -n 1)" | grep -q 'its list: notified by a signal'
	recorded lists
	[ "$(grep -c 'ev=submitted call=aio_write .* list=1$' log)" = 4 ]
	[ "$(told '.waited_ns > 0')" = true ]
	# The last of it, for that was waited for.
	"$EAGAIN" timeline --op="$(sed -n 's/.* op=\([0-9]*\) ev=completed .*/\1/p' log | tail -n 1)" >picture
	grep -q 'waiting in lio_listio()' picture
}

@test "canceled; failed" {
	recorded canceled
	grep -Eq ' op=8 ev=completed call=aio_write .* ret=-1 errno=ECANCELED' log
	grep -Eq 'ev=call call=aio_cancel fd=[0-9]+ .* ret=0 ' log
	[ "$(told '[.writes, .canceled, .failed, .open] | @csv')" = 8,1,0,0 ]
	recorded fails
	[ "$(life 1 | head -n 2)" = $'submitted aio_write - -\ncompleted aio_write -1 EFAULT' ]
	[ "$(told '[.failed, .canceled, .bytes_written] | @csv')" = 1,0,0 ]
	"$EAGAIN" timeline --op=1 | grep -q 'completed: -1 EFAULT'
}

@test "on a pipe: it would block, is ready, and is drawn so; the process waited for who writes" {
	recorded piped
	[ "$(life 1)" = $'submitted aio_read - -\nEWOULDBLOCK aio_read -1 EAGAIN\nready aio_read - -\ncompleted aio_read 1 -\nseen aio_suspend 1 -\ncollected aio_return 1 -' ] ||
		[ "$(life 1)" = $'submitted aio_read - -\nEWOULDBLOCK aio_read -1 EAGAIN\nready aio_read - -\ncompleted aio_read 1 -\nseen aio_error 1 -\ncollected aio_return 1 -' ]
	"$EAGAIN" timeline --op=1 >picture
	grep -q 'in flight: EWOULDBLOCK' picture
	grep -Eq '^t[0-9] .* EWOULDBLOCK: it waits$' picture
	grep -Eq '^t[0-9] .* its fd is ready$' picture
	[ "$("$EAGAIN" report --json | jq '[.processes[].fds[] | select(.name | startswith("pipe:")) | .would_block] | add')" = 1 ]
	"$EAGAIN" export chrome | jq -e '[.. | objects | select(.cat? == "request") | .name] | contains(["EWOULDBLOCK", "ready"])' >/dev/null
	"$EAGAIN" export perfetto >/dev/null
	"$EAGAIN" export html >/dev/null
}

@test "what goes to libc: its calls, and no more" {
	requests 0 refused
	"$EAGAIN" log >log
	run -1 grep -E 'ev=(submitted|completed|seen|collected)' log
	grep -Eq 'ev=call call=aio_read fd=[0-9]+ name=pipe:.* ret=0 ' log
	grep -Eq 'ev=call call=aio_return fd=[0-9]+ .* ret=-1 errno=EBADF' log
	[ "$("$EAGAIN" report --json | jq .aio)" = null ]
}

@test "killed with requests in flight: the trace reads, and what was not over is open" {
	requests 137 killed
	"$EAGAIN" log >log
	grep -q 'ev=submitted' log || skip "requests are not served here"
	[ "$(told '.writes == 32 and .open > 0 and .open + .completed == 32')" = true ]
	"$EAGAIN" report | grep -q ' not over at the end'
	op=$(sed -n 's/.* op=\([0-9]*\) ev=submitted .*/\1/p' log | tail -n 1)
	"$EAGAIN" timeline --op="$op" >picture
	grep -q 'not completed, as far as is known' picture
	grep -Eq '^end ' picture
	"$EAGAIN" export chrome >chrome.json
	/usr/bin/python3 "$CHECKS/chrome.py" chrome.json >tracks
	[ "$(jq '.unfinished' tracks)" = "$(told .open)" ]
}

@test "filters: a request passes whole, or not" {
	recorded suspends
	[ "$("$EAGAIN" log --call=aio_write | grep -o ' op=[0-9]* ev=[a-z]*' | sort | paste -sd,)" = \
		"$(printf ' op=%s\n' {1,2}\ ev={collected,completed,seen,submitted} | paste -sd,)" ]
	"$EAGAIN" log --call=aio_suspend >only
	grep -q 'ev=call call=aio_suspend' only
	run -1 grep -E 'ev=(submitted|completed|collected)' only
	fd=$(sed -n 's/.*ev=submitted .* fd=\([0-9]*\) .*/\1/p' log | head -n 1)
	[ "$("$EAGAIN" log --fd="$fd" | grep -c 'ev=submitted')" = 2 ]
	run -1 grep 'ev=submitted' <("$EAGAIN" log --fd=$((fd + 1)))
	run -1 grep 'ev=submitted' <("$EAGAIN" log --longer-than=1h)
	[ "$("$EAGAIN" log --longer-than=1us | grep -c 'ev=collected')" = 2 ]
	[ "$("$EAGAIN" report --json --call=aio_read | jq .aio)" = null ]
	# And while it is recorded.
	requests 0 --call=aio_read reads suspends
	"$EAGAIN" log >log
	grep -q 'ev=collected call=aio_return' log
	run -1 grep 'aio_write' log
	requests 0 --path='*other*' suspends
	run -1 grep -E 'ev=(submitted|completed)' <("$EAGAIN" log)
}

@test "chrome and perfetto: requests overlap, threads do not" {
	/usr/bin/python3 -c 'import google.protobuf' 2>/dev/null || skip "python3-protobuf is not installed"
	need_program protoc
	protoc -I "$CHECKS" --python_out=. "$CHECKS/trace.proto"
	for name in computes many lists signal thread canceled; do
		recorded "$name"
		"$EAGAIN" export chrome >chrome.json
		"$EAGAIN" export perfetto >perfetto
		/usr/bin/python3 "$CHECKS/chrome.py" chrome.json >tracks
		/usr/bin/python3 "$CHECKS/perfetto.py" . perfetto | diff tracks -
		[ "$(jq '.requests | length' tracks)" = "$(grep -c 'ev=submitted' log)" ]
		[ "$(jq .unfinished tracks)" = 0 ]
		# From each submission to whoever took the result.
		[ "$(jq '[.arrows[] | select(.[3] == "collected")] | length' tracks)" = "$(grep -c 'ev=collected' log)" ]
	done
}

@test "html and svg: a row of what was in flight" {
	for name in computes many lists; do
		recorded "$name"
		"$EAGAIN" export html -o page.html
		told . >total
		python3 -c '
import json, page
t, total = page.read("page.html"), json.load(open("total"))
assert len(t["requests"]) == t["requests_all"] == t["flights"][0]["count"] == total["writes"], t["requests"]
assert sum(r["result"] for r in t["requests"]) == total["bytes_written"]
# But for what is rounded.
assert abs(max(r["took"] for r in t["requests"]) - total["max_ns"]) <= 1
assert abs(sum(r["took"] for r in t["requests"]) - total["sum_ns"]) <= len(t["requests"])
assert sum(ns for _, ns in t["flights"][0]["bins"]) == sum(r["took"] for r in t["requests"])
assert {r["call"] for r in t["requests"]} == {"aio_write"}'
		"$EAGAIN" export svg -o picture.svg
		grep -q '>requests in flight</text>' picture.svg
		[ "$(grep -c '<rect class="flight" [^>]*><title>op [0-9]*: aio_write() of [0-9]* bytes at [0-9]* on fd [0-9]*, .*data: [0-9]* after' picture.svg)" -gt 0 ]
		python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' picture.svg
	done
}

@test "html in a browser: what was in flight under the mouse" {
	command -v chromium >/dev/null || skip "chromium is not installed"
	recorded lists
	"$EAGAIN" export html -o page.html
	# In the middle between the last submission and the last completion.
	AT=$(awk -v end="$("$EAGAIN" report --json | jq .wall_ns)" '/ ev=submitted / { from = substr($1, 3) } / ev=completed / { to = substr($1, 3) }
		END { print (from + to) / 2 * 1e9 / end }' log) python3 - <<-'PYTHON'
		from os import environ
		from browser import Browser
		with Browser() as b:
		    b.open("page.html")
		    assert any("requests in flight" in t for t in b.texts("#labels .label")), b.texts("#labels .label")
		    x, y, width, height = b.box("#lanes-canvas")
		    b.move(x + width * float(environ["AT"]), y + 36)
		    assert "aio_write() of 16,777,216 bytes" in b.text("#tip"), b.text("#tip")
		    b.press("#tab-requests")
		    assert len(b.texts("#table tbody tr")) == 4
		    assert not b.complaints, b.complaints
	PYTHON
}

@test "records out of order, of requests that never were, numbers that come again: read, and no more memory for it" {
	recorded lists many
	cp -r eagain.trace good
	# What became of it; its number; when; who has it; what it was for; for how long.
	for change in '2 00' '2 01' '2 02' '2 03' '2 04' '2 05' '2 ff' '24 00000000' '24 01000000' '24 ffffffff' '8 0000000000000000' \
		'8 ffffffffffffff7f' '8 00000000000000f0' '4 ffffff7f' '4 ffffffff' '1 00' '1 ff' '3 ff' '16 ffffffffffffffff' '16 0000000000000080' \
		'28 ffffffff'; do
		cp -r good bad
		read -r at bytes <<<"$change"
		rewrite bad "$(kind_of REQUEST)" "$at" "$bytes"
		for view in report 'report --json' log timeline 'timeline --by=fd' 'timeline --op=1' 'timeline --op=2' 'export chrome' 'export perfetto' \
			'export svg' 'export html' 'export csv' 'export folded' 'log --call=aio_write' 'log --longer-than=1us' 'top --count=1'; do
			status=0
			# shellcheck disable=SC2086 # a verb and its options
			(ulimit -v 400000; timeout 20 "$EAGAIN" $view bad >out 2>err) || status=$?
			[ "$status" = 0 ] || { [ "$status" = 1 ] && [ "$(wc -l <err)" = 1 ] && grep -q '^eagain: [^ ]' err; } ||
				{ echo "$change: $view: status $status"; cat err; false; }
		done
		"$EAGAIN" export chrome bad >chrome.json
		/usr/bin/python3 "$CHECKS/chrome.py" chrome.json >/dev/null
		rm -r bad
	done
	# A thread of eagain's that does what only a program's does.
	cp -r good bad
	rewrite bad "$(kind_of THREAD)" 3 01
	for view in report log timeline 'export html' 'export chrome'; do
		# shellcheck disable=SC2086
		"$EAGAIN" $view bad >/dev/null
	done
	for _ in 1 2 3 4 5 6 7 8; do
		damage good bad
		for view in report log timeline 'timeline --op=2' 'export svg'; do
			# shellcheck disable=SC2086
			timeout 20 "$EAGAIN" $view bad >out 2>err || { [ $? = 1 ] && [ "$(wc -l <err)" = 1 ]; } || { echo "$view"; cat err; false; }
		done
	done
}
