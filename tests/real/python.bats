# Python: what its library does with fds, signals, threads and processes.

load helper

# PYTHONUNBUFFERED and the like, which CPython's own suite expects not to be set.
unset "${!PYTHON@}"

# suite: CPython's own tests of the modules that the test's name ends with do under eagain what they do natively, each method.
# Those that differ are run again, natively and in the mode: an outcome counts that the mode has twice, and native never.
suite() {
	local mode try outcome failed=0
	need_package libpython3.11-testsuite
	cd "$BATS_TEST_TMPDIR" || return
	run_suite native native.0.xml
	finds "$(outcomes results native.0.xml | sed 's/.* //' | sort | uniq -c | awk '{ printf "%s%d %s", (NR > 1 ? ", " : ""), $1, $2 }')"
	for mode in $MODES; do
		run_suite "$mode" "$mode.0.xml"
		sane_trace "trace.$mode"
		outcomes differing 1 native.*.xml -- "$mode".*.xml >differing
		for try in 1 2 3 4; do
			[ -s differing ] || break
			run_suite native "native.$mode.$try.xml" --matchfile "$PWD/differing"
			run_suite "$mode" "$mode.$try.xml" --matchfile "$PWD/differing"
			outcomes differing 2 native.*.xml -- "$mode".*.xml >different
		done
		outcome=same
		if [ -s differing ] && [ -s different ]; then
			outcome=differs failed=1
			sed "s/^/$mode: /" different
		fi
		echo "$mode $outcome" >>outcomes
	done
	return $failed
}

# run_suite MODE RESULTS [OPTION...]: in a terminal where the test's name says so.  The method that is ignored waits for the host
# of a virtual machine; the network is 127.0.0.1.
run_suite() {
	local mode=$1 results=$PWD/$2 status=0 command prefix
	shift 2
	# shellcheck disable=SC2206 # the modules
	command=(/usr/bin/python3.11 -m test -v -u cpu --ignore '*ThreadedVSOCK*' --tempdir "$PWD/files" --junit-xml "$results" "$@" ${BATS_TEST_DESCRIPTION#*: })
	[[ $BATS_TEST_DESCRIPTION != *test_socketserver* ]] || command+=(-u network)
	[[ $BATS_TEST_DESCRIPTION != *test_curses* ]] || command+=(-u curses)
	set_prefix "$mode"
	rm -rf "trace.$mode"
	mkdir -p files
	if [[ $BATS_TEST_DESCRIPTION == *terminal:* ]]; then
		TERM=xterm script -qec "${prefix[*]@Q} ${command[*]@Q}" /dev/null
	else
		"${prefix[@]}" "${command[@]}" -j1
	fi </dev/null >"$results.out" 2>&1 3>&- || status=$?
	# 2: some methods have failed.
	[ $status = 0 ] || [ $status = 2 ] || { tail -n 50 "$results.out"; return 1; }
}

outcomes() {
	/usr/bin/python3.11 "$TOP/tests/real/outcomes.py" "$@"
}

@test "python3: files, pipes, sockets, threads, subprocesses, asyncio" {
	need_program python3
	python=$(python3 -c 'import sys; print(sys.executable)')
	cat >"$BATS_TEST_TMPDIR/program.py" <<'PYTHON'
import asyncio, os, select, signal, socket, subprocess, sys, threading, time

r, w = os.pipe()
threading.Thread(target=lambda: (time.sleep(0.02), os.write(w, b"from a thread"))).start()
print(os.read(r, 100))

a, b = socket.socketpair()
a.settimeout(0.05)
try:
    a.recv(10)
except TimeoutError as e:
    print("timeout", e)
a.setblocking(False)
try:
    a.recv(10)
except BlockingIOError as e:
    print(e)
b.sendall(b"x" * 1000)
print(len(a.recv(4000)), select.select([a], [b], [], 0)[0])

print(subprocess.run(["cat"], input=b"through cat", capture_output=True).stdout)
p = subprocess.Popen(["sleep", "10"])
p.terminate()
print(p.wait())
try:
    subprocess.run(["sleep", "5"], timeout=0.05)
except subprocess.TimeoutExpired as e:
    print(e.cmd)

signal.signal(signal.SIGALRM, lambda *_: print("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.03)
threading.Timer(0.1, lambda: os.write(w, b"after the alarm")).start()
print(os.read(r, 100))

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    print(await reader.readline())
    writer.close()
    server.close()

async def serve(reader, writer):
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()

asyncio.run(main())
print(sys.stdin.read())
sys.exit(3)
PYTHON
	echo input >"$BATS_TEST_TMPDIR/input"
	# shellcheck disable=SC2034 # read by observe
	INPUT=$BATS_TEST_TMPDIR/input
	same "$python" -u "$BATS_TEST_TMPDIR/program.py"
	[ "$(cat "$BATS_TEST_TMPDIR/native/status")" = 3 ]
	same "$python" -c 'import multiprocessing as m; p = m.get_context("fork").Pool(2); print(p.map(abs, range(-100, 0))[:3])'
}

@test "CPython's own suite: test_epoll test_fcntl test_fileio test_popen test_pty" {
	suite
}

# bats test_tags=all
@test "CPython's own suite: test_eintr test_file_eintr test_signal test_threadsignals" {
	suite
}

# bats test_tags=all
@test "CPython's own suite: test_io test_file test_univnewlines test_fileinput test_mmap test_tempfile test_shutil test_posixpath test_mailbox test_tarfile test_largefile" {
	suite
}

# bats test_tags=all
@test "CPython's own suite: test_os test_posix test_resource test_fork1 test_wait3 test_wait4 test_pipes test_openpty" {
	suite
}

# bats test_tags=all
@test "CPython's own suite: test_socket test_timeout" {
	suite
}

# bats test_tags=all
@test "CPython's own suite: test_socketserver" {
	suite
}

# bats test_tags=all
@test "CPython's own suite: test_select test_selectors test_poll test_kqueue test_asyncore test_asynchat" {
	suite
}

# bats test_tags=all
@test "CPython's own suite: test_asyncio" {
	suite
}

# bats test_tags=all
@test "CPython's own suite: test_subprocess test_cmd_line test_repl test_pdb" {
	suite
}

# bats test_tags=all
@test "CPython's own suite: test_threading test_thread test_queue test_sched test_concurrent_futures test_interpreters test_faulthandler" {
	suite
}

# bats test_tags=all
@test "CPython's own suite: test_multiprocessing_main_handling test_multiprocessing_fork test_multiprocessing_forkserver test_multiprocessing_spawn" {
	suite
}

# bats test_tags=all
@test "CPython's own suite: test_ssl test_httplib test_httpservers test_ftplib test_smtplib test_poplib test_imaplib test_nntplib test_telnetlib" {
	suite
}

# bats test_tags=all
@test "CPython's own suite: test_xmlrpc test_docxmlrpc test_urllib2_localnet test_wsgiref test_logging" {
	suite
}

# bats test_tags=all
@test "CPython's own suite: test_sys test_atexit test_exceptions test_time test_readline test_regrtest test_support" {
	suite
}

# bats test_tags=all
@test "CPython's own suite in a terminal: test_ioctl test_curses test_getpass test_builtin test_os test_pty test_readline test_posix" {
	need_program script
	suite
}

# With --junit-xml stdout is no terminal for the methods, and these would be skipped.
# bats test_tags=all
@test "CPython's own suite: input() from a terminal" {
	need_program script
	need_package libpython3.11-testsuite
	same script -qec "/usr/bin/python3.11 -m unittest -v test.test_builtin.PtyTests 2>results; sed -i 's/ in [0-9.]*s$//' results" /dev/null
	passed=$(grep -c ' ok$' "$BATS_TEST_TMPDIR/native/files/results")
	finds "$passed passed"
}
