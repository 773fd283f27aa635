# Real programs from the distribution: natively and in each mode they do the same.

load helper

need_program() {
	local program
	for program; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

@test "bash and dash pipelines" {
	need_program bash dash
	for shell in bash dash; do
		same "$shell" -c 'seq 20000 | while read -r n; do [ $((n % 4999)) = 0 ] && echo $n; done | sort -rn | head -n 3'
		same "$shell" -c 'yes | head -n 100000 | wc -c; (exit 3) | cat; echo "$?"'
		same "$shell" -c 'for i in 1 2 3; do echo "line $i" >>file; done; cat file | tr a-z A-Z | tee copy; false'
		same "$shell" -c 'trap "echo trapped" TERM; kill -TERM $$; (sleep 0.05; echo late) & wait; echo "$(echo inner | cat)"'
		same "$shell" -c 'read -r a; read -r b; echo "$b $a"; cat' <<<"$(printf 'one\ntwo\nthree')"
	done
}

@test "bash: process substitution, coprocesses, here documents, read with a timeout" {
	need_program bash
	same bash -c 'diff <(seq 10) <(seq 2 11); coproc { while read -r x; do echo "got $x"; done; }; echo hello >&"${COPROC[1]}"; read -r y <&"${COPROC[0]}"; echo "$y"'
	same bash -c 'cat <<END; read -r -t 0.05 x < <(sleep 1) ; echo "$?"
text
END'
	same bash -c 'set -o pipefail; yes | head -n 1 >/dev/null; echo "${PIPESTATUS[*]}"; mkfifo f; (echo through the fifo >f &) ; cat f; rm f'
}

@test "coreutils" {
	INPUT=$TOP/Makefile
	same sh -c 'cat | tee a b | sort -u | uniq -c | tail -n 5; wc a b; cmp a b; md5sum a; split -l 20 a part.; cat part.* | cmp - a'
	same sh -c 'dd bs=7 count=100 status=none; dd if=/dev/zero bs=1M count=8 2>/dev/null | dd bs=64k iflag=fullblock 2>/dev/null | cksum'
	same sh -c 'head -c 1000 | od -c | tail -n 2; timeout 0.1 sleep 5; echo $?; timeout -s KILL 0.1 cat /dev/zero >/dev/null; echo $?'
	same sh -c '(echo a; sleep 0.1; echo b) | tail -f --pid=$$ -n +1 & sleep 0.3; seq 5 | shuf --random-source=/dev/zero | paste -sd,; nohup echo x 2>/dev/null'
}

@test "grep, sed, awk" {
	same sh -c 'seq 100000 | grep -c 7; seq 1000 | grep --line-buffered 99 | head -n 2; seq 10 | sed -n "3,5p;7q"; seq 100 | awk "{ s += \$1 } END { print s }"'
	same sh -c 'grep -r --include="*.none" x . ; echo $?; awk "BEGIN { while ((\"seq 3\" | getline x) > 0) print x; print \"to sort\" | \"sort\" }"'
}

@test "gzip and tar" {
	need_program gzip tar
	same sh -c 'seq 300000 | gzip -1 | gzip -dc | cksum; echo text | gzip -n | od -x; gzip -dc </dev/null; echo $?'
	same sh -c 'mkdir d; seq 1000 >d/a; seq 2000 >d/b; tar --sort=name --mtime=@0 --owner=0 --group=0 -cf - d | tar -tvf - | wc -l; tar -czf x.tgz d; rm -r d; tar -xzf x.tgz; cat d/a d/b | cksum; rm x.tgz'
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

@test "curl against python3 -m http.server" {
	need_program python3 curl
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
seq 200000 >large
echo small >small
coproc { exec "$(python3 -c 'import sys; print(sys.executable)')" -u -m http.server 0 --bind 127.0.0.1 2>/dev/null; }
# "Serving HTTP on 127.0.0.1 port N ..."
read -r _ _ _ _ _ port _ <&"${COPROC[0]}"
curl -sS "http://127.0.0.1:$port/small"
curl -sS "http://127.0.0.1:$port/large" | cksum
curl -sS -o copy "http://127.0.0.1:$port/large" && cmp copy large && echo same
curl -sS -o /dev/null -w '%{http_code}\n' "http://127.0.0.1:$port/none"
curl -s --parallel "http://127.0.0.1:$port/[1-5]small" "http://127.0.0.1:$port/small" 2>/dev/null | grep -c small
kill "$COPROC_PID"
curl -s --max-time 5 http://127.0.0.1:1/; echo "refused: $?"
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx same "$BATS_TEST_TMPDIR/native/stdout"
}

@test "redis-server, redis-cli and redis-benchmark" {
	need_program redis-server redis-cli redis-benchmark
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
dir=$(mktemp -d)
redis-server --port 0 --unixsocket "$dir/s" --dir "$dir" --save '' --daemonize no >/dev/null &
server=$!
cli() { redis-cli -s "$dir/s" "$@"; }
until [ "$(cli ping 2>/dev/null)" = PONG ]; do kill -0 $server || exit 9; done
cli set key value; cli get key; cli incr n; cli rpush l a b c; cli lrange l 0 -1
seq 5000 | sed 's/.*/set key& &/' | cli --pipe | tail -n 1
cli dbsize; cli save; cli --no-raw get key17
(cli blpop waiting 0) & cli rpush waiting now >/dev/null; wait $!
redis-benchmark -s "$dir/s" -q -n 2000 -c 20 -P 4 -t set,get,lpush,lrange_100 | tr '\r' '\n' | grep -c 'requests per second'
cli shutdown nosave
wait $server
echo "server: $?"
rm -rf "$dir"
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx 'server: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "make, cc and git, as far as they are here" {
	need_program make gcc
	same sh -c 'printf "all: a b\na b:\n\t@echo \$@ | cat\n" >Makefile; make -s; printf "int main(void) { return 7; }\n" >p.c; gcc -pipe p.c -o p; ./p; echo $?; rm p'
	need_program git
	same sh -c 'export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_DATE=@0 GIT_COMMITTER_DATE=@0; git init -q r; cd r; seq 1000 >f; git add f; git -c user.name=n -c user.email=e commit -qm m; git log --format=%H; cd ..; git clone -q --no-local r c; cmp r/f c/f; rm -rf r/.git c/.git'
}
