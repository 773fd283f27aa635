# Python: what its library does with fds, signals, threads and processes.

load helper

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
