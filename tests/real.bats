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
	same sh -c 'export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_DATE=2000-01-01T00:00:00Z GIT_COMMITTER_DATE=2000-01-01T00:00:00Z; git init -q r; cd r; seq 1000 >f; git add f; git -c user.name=n -c user.email=e commit -qm m; git log --format=%H; cd ..; git clone -q --no-local r c; cmp r/f c/f; rm -rf r/.git c/.git'
}

@test "sed and gawk: streams, files in place, coprocesses, both ends of a pipe" {
	need_program sed gawk
	same sh -c 'seq 2000 >f; sed -i.old "s/7/seven/; \$d" f; cmp -s f f.old; echo $?; (echo a; echo b) | sed -u "s/a/x/w written"; sed -n "/^19.*9\$/{=;p}" f.old'
	cat >"$BATS_TEST_TMPDIR/program.awk" <<'AWK'
BEGIN {
	sorter = "sort -r"
	for (i = 0; i < 5000; i++)
		print i % 977 |& sorter
	close(sorter, "to")
	while ((sorter |& getline line) > 0)
		if (!(++lines % 1000))
			print line
	print "status", close(sorter)
	quiet = "cat 2>/dev/null"
	PROCINFO[quiet, "pty"] = 1
	print "through a pty" |& quiet
	quiet |& getline line
	sub(/\r$/, "", line)
	print line
	PROCINFO["sleep 5", "READ_TIMEOUT"] = 30
	print ("sleep 5" | getline line), "after the timeout"
	while (("seq 3; exit 4" | getline line) > 0)
		print line
	print "status", close("seq 3; exit 4")
	print "to a pipe" | "cat; cat >&2 /dev/null"
	print system("exit 5")
}
END { print NR, $0 }
AWK
	same sh -c 'seq 300 | gawk -f "$1"' sh "$BATS_TEST_TMPDIR/program.awk"
	grep -qx '300 300' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "xz, zstd and bzip2, with threads" {
	need_program xz zstd bzip2
	same sh -c 'seq 400000 >f; xz -1 -T2 --block-size=300KiB -k f; xz -T2 -dc f.xz | cmp - f; (head -c 100000 f; sleep 0.1; tail -c +100001 f) | xz -0 -T2 | xz -dc | cksum; xz -l --robot f.xz | tail -n 1; rm f.xz'
	same sh -c 'seq 400000 | zstd -q -1 -T2 --no-progress | zstd -qdc | cksum; seq 100000 | bzip2 -1 | bzip2 -dc | cksum; seq 1000 | zstd -qc | head -c 50 | zstd -qdc 2>/dev/null; echo $?; bzip2 -dc </dev/null; echo $?'
}

@test "curl and wget against nginx" {
	PATH=$PATH:/usr/sbin
	need_program nginx curl wget perl
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
mkdir "$dir/www" "$dir/temp"
seq 1500000 >"$dir/www/large"
echo small >"$dir/www/small"
# As root, the workers are somebody else.
chmod -R a+rX "$dir"
nginx() { command nginx -p "$dir/" -e error.log -c nginx.conf "$@"; }
get() { curl -sS --unix-socket "$dir/s" "$@"; }
until [ "$(get http://x/small 2>/dev/null)" ]; do
	port=$(free_port)
	cat >"$dir/nginx.conf" <<CONF
daemon off;
worker_processes 2;
pid pid;
events { worker_connections 64; }
http {
	access_log access.log;
	client_body_temp_path temp/body; proxy_temp_path temp/proxy; fastcgi_temp_path temp/fastcgi;
	uwsgi_temp_path temp/uwsgi; scgi_temp_path temp/scgi;
	default_type text/plain;
	server {
		listen unix:$dir/s;
		listen 127.0.0.1:$port;
		root www;
		client_max_body_size 20m;
		location / { sendfile on; tcp_nopush on; }
		location /copied/ { alias $dir/www/; sendfile off; output_buffers 1 16k; }
		location /packed/ { alias $dir/www/; gzip on; gzip_types text/plain; }
		location /through/ { proxy_pass http://unix:$dir/s:/; proxy_buffers 4 8k; proxy_max_temp_file_size 0; }
		location /slow/ { alias $dir/www/; limit_rate 20m; }
		location /take { client_body_buffer_size 8k; proxy_pass http://unix:$dir/s:/taken; }
		location /taken { return 201 "taken\n"; }
	}
}
CONF
	command nginx -p "$dir/" -e error.log -c nginx.conf &
	servers=($!)
	until_done $! get http://x/small
done

get -w '%{num_connects}\n' http://x/small http://x/small http://x/copied/small
for where in '' copied/ packed/ through/ slow/; do
	get "http://x/${where}large" | cmp - "$dir/www/large" && echo "same: $where"
done
get --compressed -D - -o unpacked http://x/packed/large | grep -i encoding
cmp unpacked "$dir/www/large"; rm unpacked
get -o /dev/null -w '%{http_code}\n' http://x/none
get -r 10-19 http://x/large; echo
get -T "$dir/www/large" http://x/take
get --no-progress-meter --parallel --parallel-max 8 "http://x/small?[1-40]" | grep -c small
at=http://127.0.0.1:$port
curl -sS --noproxy '*' "$at/large" | cksum
wget -q --no-proxy -O - "$at/large" | cksum
wget -q --no-proxy -O - "$at/small" "$at/copied/small"
wget -q --no-proxy -P got -x -nH "$at/packed/small" "$at/none" "$at/large"; echo "wget: $?"
cmp got/large "$dir/www/large"; head -c 3000000 got/large >part; mv part got/large
wget -q --no-proxy -c -P got "$at/large"; cmp got/large "$dir/www/large" && echo continued
rm -r got
nginx -s reload
get http://x/small
nginx -s quit
wait "${servers[0]}"
echo "nginx: $?"
servers=()
ls "$dir"
grep -c '" 200 ' "$dir/access.log" >/dev/null && grep -v '\[\(warn\|notice\|error\)\]' "$dir/error.log"
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx 'nginx: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "socat: pipes, terminals, unix and TCP sockets, programs" {
	need_program socat gawk
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
echo hello | socat - EXEC:'tr a-z A-Z'
seq 5 | socat - SYSTEM:'sort -r; echo done >&2',pipes
socat -u EXEC:'echo through a terminal',pty,raw,echo=0,stderr STDOUT
seq 100000 | socat -u - "CREATE:$dir/f" && cksum <"$dir/f"

socat "UNIX-LISTEN:$dir/s,fork" PIPE &
servers+=($!)
until_done $! socat -u /dev/null "UNIX-CONNECT:$dir/s"
echo "through a pipe" | socat -t5 - "UNIX-CONNECT:$dir/s"

mkfifo "$dir/said"
socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork EXEC:cat 2>"$dir/said" &
servers+=($!)
exec 4<"$dir/said"
# 2023/01/02 03:04:05 socat[8] N listening on AF=2 127.0.0.1:12345
read -r line <&4
port=${line##*:}
seq 200000 | socat -t5 - "TCP:127.0.0.1:$port" | cksum
(echo one; sleep 0.05; echo two) | socat -t5 - "TCP:127.0.0.1:$port"
gawk -v at="/inet/tcp/0/127.0.0.1/$port" 'BEGIN { print "from gawk" |& at; close(at, "to"); while ((at |& getline line) > 0) print line }'

mkfifo "$dir/silent"
socat -T 0.05 - "UNIX-CONNECT:$dir/s" 5<>"$dir/silent" <"$dir/silent"; echo "timeout: $?"
socat - "UNIX-CONNECT:$dir/none" 2>/dev/null; echo "refused: $?"
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
}

@test "ncat: transfer, programs for each connection" {
	need_program ncat
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
ncat -lk 127.0.0.1 0 --sh-exec 'tr a-z A-Z; echo done' &
servers+=($!)
port=$(port_of $!)
echo hello | ncat 127.0.0.1 "$port"
(echo one; sleep 0.05; echo two) | ncat 127.0.0.1 "$port"
ncat -lk 127.0.0.1 0 --sh-exec 'seq 200000' &
servers+=($!)
ncat --recv-only 127.0.0.1 "$(port_of $!)" | cksum

ncat -l 127.0.0.1 0 </dev/null >"$dir/got" &
seq 200000 | ncat --send-only 127.0.0.1 "$(port_of $!)"
wait $!; echo "ncat: $?"
cksum <"$dir/got"

ncat -lkU "$dir/s" --sh-exec 'read -r x; echo "got $x"' &
servers+=($!)
until_done $! ncat -zU "$dir/s"
echo there | ncat -U "$dir/s"
ncat -U "$dir/none" </dev/null 2>/dev/null; echo "refused: $?"
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
}

@test "git: clone, fetch and push through pipes, and as through ssh" {
	need_program git
	cat >"$BATS_TEST_TMPDIR/ssh" <<'SSH'
#!/bin/sh
# An ssh that knows one host, here: ssh [OPTIONS] HOST COMMAND.
while [ $# -gt 1 ]; do shift; done
exec sh -c "$1"
SSH
	chmod +x "$BATS_TEST_TMPDIR/ssh"
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_AUTHOR_DATE=2000-01-01T00:00:00Z GIT_COMMITTER_DATE=2000-01-01T00:00:00Z GIT_SSH_COMMAND=$1 GIT_SSH_VARIANT=simple
export GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=e
cd "$dir"
git init -q -b main origin
for n in 1 2 3 4 5; do
	mkdir "origin/$n"
	for file in $(seq 60); do seq "$n" "$((n * file))" >"origin/$n/$file"; done
	git -C origin add .
	git -C origin commit -qm "$n"
done
git clone -q --no-local origin local
git clone -q "file://$dir/origin" url
git clone -q "ssh://host$dir/origin" ssh
git clone -q --depth 1 "ssh://host$dir/origin" shallow
for clone in local url ssh shallow; do git -C $clone fsck 2>/dev/null; git -C $clone log --format=%H | cksum; done
git -C ssh checkout -qb topic
git -C ssh commit -q --allow-empty -m empty
git -C ssh push -q origin topic
git -C url fetch -q
git -C url log --format=%s origin/topic
git -C origin gc -q
git clone -q "ssh://host$dir/none" missing 2>/dev/null; echo "none: $?"
git -C ssh grep -c 29 | wc -l
git -C ssh archive --format=tar.gz HEAD | tar -tzf - | wc -l
SESSION
	same bash "$BATS_TEST_TMPDIR/session" "$BATS_TEST_TMPDIR/ssh"
	[ ! -s "$BATS_TEST_TMPDIR/native/stderr" ]
}

@test "find, xargs -P, tee, script, perl, sqlite3" {
	same sh -c 'mkdir -p d/e; for i in $(seq 50); do echo $i >d/e/$i; done; find d -type f -print0 | xargs -0 -n 3 -P 4 cat | sort -n | cksum; find d -name "1*" -exec cat {} + | wc -l; seq 10 | xargs -P 3 -I{} sh -c "exit \$(({} % 2))"; echo $?; rm -r d'
	same sh -c '(seq 1000; sleep 0.05; seq 1000) | tee a b | tee -p c | cksum; cmp a b; cmp a c; seq 100000 | tee -p d 2>/dev/null | head -n 1'
	need_program script
	same script -qec 'tty -s && echo "a terminal"; stty -echo; echo and | cat; sleep 0.05; exit 7' /dev/null
	same sh -c 'echo typed | script -qec "read -r x; echo \"got \$x\"" /dev/null | tr -d "\r" | sort -u | tail -n 1'
	need_program perl
	cat >"$BATS_TEST_TMPDIR/program.pl" <<'PERL'
use IO::Socket::INET; use IO::Select; use IPC::Open2; use Socket; use POSIX ":sys_wait_h";
$| = 1;
my $pid = open2(my $out, my $in, "sort"); print $in "b\na\n"; close $in; print <$out>; waitpid $pid, 0; print $?, "\n";
my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 5) or die;
if (!($pid = fork)) {
	my $c = $server->accept; print $c scalar reverse scalar <$c>; $c->shutdown(1); select undef, undef, undef, 0.05; exit 3;
}
my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $server->sockport) or die;
print $c "olleh\n"; print IO::Select->new($c)->can_read(5) ? "can read\n" : "not\n"; print <$c>, "\n"; waitpid $pid, 0; print $? >> 8, "\n";
socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC; $b->blocking(0);
print defined sysread($b, my $x, 1) ? "read" : $!, "\n";
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; sysread $a, $x, 1; }; print $@;
print `echo backticks; exit 2`, $? >> 8, "\n"; open my $p, "|-", "cat; exit 6"; print $p "to cat\n"; close $p; print $? >> 8, "\n";
PERL
	same perl "$BATS_TEST_TMPDIR/program.pl"
	need_program sqlite3
	same sh -c '(echo "create table t (n);"; seq 1000 | sed "s/.*/insert into t values (&);/"; echo "select count(*), sum(n) from t;") | sqlite3 ":memory:"; sqlite3 db "create table t (a); insert into t values (7);"; sqlite3 db ".dump" | sqlite3 copy; sqlite3 copy "select * from t"; rm db copy'
}
