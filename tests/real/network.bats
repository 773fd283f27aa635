# What moves data between hosts.

load helper

setup() {
	export SSHD=$BATS_TEST_TMPDIR/sshd
	cat >"$SSHD" <<'SESSION'
# An sshd for the user that runs this, and an ssh that knows it as the host "here"; "through": by another program.
. "$SESSION"
cd "$dir"
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f key
cat >sshd_config <<END
ListenAddress 127.0.0.1
HostKey $dir/host
AuthorizedKeysFile $dir/key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PrintMotd no
PrintLastLog no
AcceptEnv GIT_* E
Subsystem sftp /usr/lib/openssh/sftp-server
END

# sshd on a port that is free, which somebody else may have taken meanwhile.
until
	/usr/sbin/sshd -D -e -f sshd_config -p "$(free_port)" 2>>log &
	port=$(port_of $!)
do :; done
servers+=($!)
cat >config <<END
Host here through
HostName 127.0.0.1
Port $port
User $(id -un)
IdentityFile $dir/key
IdentitiesOnly yes
UserKnownHostsFile $dir/known
StrictHostKeyChecking accept-new
LogLevel ERROR
Host through
ProxyCommand socat - TCP:%h:%p
Host shared
ControlPath $dir/control
LogLevel ERROR
END
ssh() { command ssh -F config "$@"; }
SESSION
}

@test "socat: pipes, terminals, unix and TCP sockets, programs" {
	need_program socat gawk
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
echo hello | socat - EXEC:'tr a-z A-Z'
seq 5 | socat - SYSTEM:'sort -r; echo done >&2',pipes
socat -u EXEC:'echo through a terminal',pty,raw,echo=0,stderr STDOUT
seq 100000 | socat -u - "CREATE:$dir/f" && cksum <"$dir/f"

socat -b 4096 "UNIX-LISTEN:$dir/s,fork" PIPE &
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
# answer LAST WHERE...: what an ncat says to stdin, up to LAST.  Once it sees the end of what it is told it says no more.
answer() {
	{ cat; until grep -sqx "$1" "$dir/answer"; do :; done; } | ncat "${@:2}" >"$dir/answer"
	cat "$dir/answer"
}
ncat -lk 127.0.0.1 0 --sh-exec 'while read -r x; do echo "got $x"; done' &
servers+=($!)
port=$(port_of $!)
echo hello | answer 'got hello' 127.0.0.1 "$port"
(echo one; until grep -sqx 'got one' "$dir/answer"; do :; done; echo two) | answer 'got two' 127.0.0.1 "$port"
ncat -lk 127.0.0.1 0 --sh-exec 'seq 200000' &
servers+=($!)
ncat --recv-only 127.0.0.1 "$(port_of $!)" | cksum

ncat -l 127.0.0.1 0 </dev/null >"$dir/got" &
seq 200000 | ncat --send-only 127.0.0.1 "$(port_of $!)"
wait $!; echo "ncat: $?"
cksum <"$dir/got"

ncat -lkU "$dir/s" --sh-exec 'read -r x && echo "got $x"' &
servers+=($!)
until_done $! ncat -zU "$dir/s"
echo there | answer 'got there' -U "$dir/s"
ncat -U "$dir/none" </dev/null 2>/dev/null; echo "refused: $?"
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
}

@test "socat: datagrams, UDP and unix" {
	need_program socat perl
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
cd "$dir"
# listen ADDRESS...: socat behind it, and the $port that the kernel gave.
listen() {
	rm -f said
	mkfifo said
	socat -d -d "$@" 2>said 4<&- &
	servers+=($!)
	exec 4<said
	# 2023/01/02 03:04:05 socat[8] N listening on AF=2 127.0.0.1:12345
	until read -r line <&4 && [[ $line == *listening* ]]; do :; done
	port=${line##*:}
}
ask() {
	perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Proto => "udp", PeerAddr => "127.0.0.1:$ARGV[0]");
		for (@ARGV[1 .. $#ARGV]) { $s->send($_); $s->recv($reply, 100); print "$reply\n" }' "$@"
}
listen UDP-LISTEN:0,bind=127.0.0.1,fork PIPE
ask "$port" one two three
# The child that answers waits for more.
kill "$(pgrep -P "${servers[0]}")"

socat -u UNIX-RECV:datagrams OPEN:got,creat,append &
servers+=($!)
until_done $! test -S datagrams
for n in 1 2 3; do echo "datagram $n" | socat -u - UNIX-SENDTO:datagrams; done
until_done $! grep 3 got
cat got
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
}

# bats test_tags=all
@test "socat and ncat: TLS" {
	need_program socat ncat openssl
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
cd "$dir"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout key -out cert 2>/dev/null
cat key cert >both
until
	socat -b 4096 "OPENSSL-LISTEN:$(free_port),bind=127.0.0.1,cert=both,verify=0,fork" PIPE 2>/dev/null &
	port=$(port_of $!)
do :; done
servers+=($!)
seq 100000 | socat -t5 - "OPENSSL:127.0.0.1:$port,cafile=cert,commonname=localhost" | cksum
(echo one; sleep 0.05; echo two) | socat -t5 - "OPENSSL:127.0.0.1:$port,verify=0"
echo x | socat - "OPENSSL:127.0.0.1:$port" 2>/dev/null; echo "not trusted: $?"

ncat -lk --ssl --ssl-cert cert --ssl-key key 127.0.0.1 0 --sh-exec 'seq 100000' &
servers+=($!)
port=$(port_of $!)
ncat --ssl --recv-only 127.0.0.1 "$port" | cksum
socat -u "OPENSSL:127.0.0.1:$port,verify=0" - | cksum
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

# bats test_tags=all
@test "openssh: ssh, scp, sftp, ProxyCommand, -L, -R, ControlMaster, a terminal" {
	need_program ssh sshd socat
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SSHD"
echo hello | ssh here 'tr a-z A-Z; echo done >&2; exit 7'; echo "$?"
seq 200000 | ssh here cksum
ssh here 'seq 200000' | cksum
ssh here 'kill -TERM $$' </dev/null; echo "$?"
(echo one; sleep 0.05; echo two) | ssh through cat
ssh -n here 'echo no stdin; cat'
ssh -tt here 'tty -s && echo terminal; stty size; read -r x; echo "got $x"' < <(echo typed; sleep 0.2) | tr -d '\r' | sort
seq 5 | ssh here 'cat >written; exit 3'; echo "$?"

seq 300000 >big
command scp -qF config big "here:$dir/copied" && cmp big copied
command scp -qOF config "here:$dir/big" copied2 && cmp big copied2
command sftp -qF config -b - here <<END | sed "s|$dir|DIR|" | grep -v 'ls -l'
cd $dir
put big put
get put got
mkdir made
ls made
rename put made/put
ls made

END
cmp big got; cmp big made/put

# The server answers for another that is behind it.
socat -b 4096 UNIX-LISTEN:echo,fork PIPE &
servers+=($!)
until_done $! socat -u /dev/null UNIX-CONNECT:echo
command ssh -F config -N -L "$dir/forward:$dir/echo" -R "$dir/back:$dir/echo" here &
servers+=($!)
until_done $! socat -u /dev/null UNIX-CONNECT:forward
until_done $! socat -u /dev/null UNIX-CONNECT:back
seq 50000 | socat -t5 - UNIX-CONNECT:forward | cksum
seq 50000 | socat -t5 - UNIX-CONNECT:back | cksum

ssh -MNf -S control here
ssh -S control -O check here 2>&1 | sed 's/[0-9]*)/PID)/'
for n in 1 2 3; do seq 10000 | ssh -S control here cksum & done
wait -n; wait -n; wait -n
ssh -S control -O exit here 2>&1
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
}

# bats test_tags=all
@test "rsync: local, over ssh, from and to its daemon" {
	need_program rsync ssh sshd
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SSHD"
export RSYNC_RSH="ssh -F $dir/config"
mkdir from
for n in $(seq 100); do seq "$n" >"from/$n"; done
ln -s 1 from/link
seq 300000 >from/big
rsync -a from/ local && diff -r from local
rsync -a from/ here:"$dir/there" && diff -r from there
seq 150000 >from/big; echo changed >>from/7; rm from/9
# Which second it is now is no difference.
touch -d 2001-01-01 from
rsync -a --delete --no-whole-file --out-format=%n from/ local && diff -r from local
rsync -az --delete --out-format=%n from/ here:"$dir/there" && diff -r from there
rsync -a --bwlimit=20m here:"$dir/there/" back && diff -r from back
rsync -a here:"$dir/none" back 2>/dev/null; echo "none: $?"

cat >rsyncd <<END
use chroot = no
log file = $dir/log
uid = $(id -u)
gid = $(id -g)
[all]
path = $dir/from
[in]
path = $dir/in
read only = no
munge symlinks = no
END
mkdir in
until
	rsync --daemon --no-detach --config=rsyncd --address=127.0.0.1 --port="$(free_port)" &
	port=$(port_of $!)
do :; done
servers+=($!)
rsync "rsync://127.0.0.1:$port/"
rsync -a "rsync://127.0.0.1:$port/all/" got && diff -r from got
rsync -a got/ "rsync://127.0.0.1:$port/in" && diff -r from in
rsync "rsync://127.0.0.1:$port/other/" . 2>/dev/null; echo "refused: $?"
rsync -an --out-format=%n "rsync://127.0.0.1:$port/all/1*" nowhere
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
}

# bats test_tags=all
@test "git: clone, fetch and push over ssh and http" {
	need_program git ssh sshd /usr/bin/python3
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SSHD"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_AUTHOR_DATE=2000-01-01T00:00:00Z GIT_COMMITTER_DATE=2000-01-01T00:00:00Z
export GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=e GIT_SSH_COMMAND="ssh -F $dir/config" HOME=$dir
git init -q -b main origin
git -C origin config http.receivepack true
for n in 1 2 3; do
	for file in $(seq 60); do seq "$n" "$((n * file))" >"origin/$file"; done
	git -C origin add .
	git -C origin commit -qm "$n"
done
git clone -q "ssh://here$dir/origin" ssh
git -C ssh fsck 2>/dev/null; git -C ssh log --format=%H | cksum
git -C ssh checkout -qb topic
git -C ssh commit -q --allow-empty -m empty
git -C ssh push -q origin topic && git -C origin log --format=%s topic
git clone -q "ssh://here$dir/none" missing 2>/dev/null; echo "none: $?"

cat >server <<'END'
import http.server, os, subprocess
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        env = dict(os.environ, GIT_PROJECT_ROOT=os.getcwd(), GIT_HTTP_EXPORT_ALL="1", REQUEST_METHOD=self.command, PATH_INFO=path,
                   QUERY_STRING=query, CONTENT_TYPE=self.headers.get("Content-Type", ""), CONTENT_LENGTH=str(len(body)),
                   HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""), GIT_PROTOCOL=self.headers.get("Git-Protocol", ""))
        reply = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env).stdout
        head, _, content = reply.partition(b"\r\n\r\n")
        status = b"404 Not Found" if head.startswith(b"Status: 404") else b"200 OK"
        self.wfile.write(b"HTTP/1.0 " + status + b"\r\n" + head + b"\r\n\r\n" + content)

    do_POST = do_GET

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler).serve_forever()
END
/usr/bin/python3 server &
servers+=($!)
at=http://127.0.0.1:$(port_of $!)
git clone -q "$at/origin" http && git -C http log --format=%H | cksum
git clone -q --depth 1 "$at/origin" shallow && git -C shallow log --format=%s
git -C http checkout -qb other
for file in $(seq 60); do seq "$file" 3000 >"http/$file"; done
git -C http commit -qam more
git -C http push -q origin other && git -C origin log --format=%s other
git -C ssh fetch -q && git -C ssh log --format=%s origin/other
git clone -q "$at/none" missing 2>/dev/null; echo "none: $?"
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
}

# bats test_tags=all
@test "wget, curl, aria2, lftp from an HTTP server" {
	need_program wget curl aria2c lftp /usr/bin/python3
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
cd "$dir"
export HOME=$dir
mkdir served
seq 500000 >served/big
for n in $(seq 20); do seq "$n" >"served/$n"; done
/usr/bin/python3 -m http.server --bind 127.0.0.1 -d served 0 >log 2>&1 &
servers+=($!)
at=http://127.0.0.1:$(port_of $!)
wget -q -r -np -nH -l 1 -P all "$at/" && rm -f all/index.html && diff -r served all
wget -qO- "$at/big" | cksum
wget -qO- --limit-rate=2m "$at/big" | cksum
wget -q "$at/none"; echo "none: $?"
curl -sS "$at/big" | cksum
curl -sSZ --parallel-max 5 -o 'part#1' "$at/[1-20]" 2>/dev/null && cat part* | cksum
curl -sS -r 100-199 "$at/big" | cksum
curl -sSI "$at/big" | grep -i length
curl -sf "$at/none"; echo "none: $?"
aria2c -q -x 4 -d a -Z "$at/big" "$at/7" "$at/8" && cmp a/big served/big && cat a/7 a/8 | cksum
aria2c -q -d a "$at/none"; echo "none: $?"
lftp -c "set net:max-retries 1; open $at; get big -o lftp; get none" 2>/dev/null; echo "lftp: $?"; cmp lftp served/big
lftp -c "open $at; mirror -P 4 --no-symlinks . mirrored" 2>/dev/null; ! diff -r served mirrored | grep -v index.html
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
}

# bats test_tags=all
@test "iperf3: TCP and UDP, both ways, several at once, -Z" {
	need_program iperf3
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
until
	iperf3 -s -B 127.0.0.1 -p "$(free_port)" >/dev/null 2>&1 &
	port=$(port_of $!)
do :; done
servers+=($!)
for options in '-n 20M' '-n 20M -P 3' '-n 20M -R' '-n 5M --bidir' '-u -b 200M -n 2M' '-n 2M -l 200' '-Z -n 20M'; do
	# shellcheck disable=SC2086 # several options
	iperf3 -c 127.0.0.1 -p "$port" $options -J >"$dir/said"; echo "$options: $?"
	! grep '"error"' "$dir/said"
done
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
}

@test "stunnel: TLS before a plain server and client, threads and forks, reload, its end" {
	need_program stunnel4 openssl perl socat
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
cd "$dir"
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out certificate -subj /CN=here -days 2 2>/dev/null
socat -b 4096 TCP-LISTEN:0,bind=127.0.0.1,fork PIPE &
servers=($!)
echo=$(port_of $!)
# There and back again: plain -> client -> TLS -> server -> plain.
configure() {
	cat >conf <<CONF
foreground = yes
pid =
output = $dir/log
debug = notice
socket = l:TCP_NODELAY=1
[server]
accept = 127.0.0.1:$port
connect = 127.0.0.1:$echo
cert = $dir/certificate
key = $dir/key
[client]
client = yes
accept = $dir/s
connect = 127.0.0.1:$port
CAfile = $dir/certificate
verifyChain = $1
CONF
}
through() { socat -t30 - "UNIX-CONNECT:$dir/s"; }
until [ "$(echo there | through 2>/dev/null)" ]; do
	port=$(free_port)
	configure yes
	stunnel4 conf 2>/dev/null &
	servers[1]=$!
	until_done $! sh -c "echo there | socat -t30 - 'UNIX-CONNECT:$dir/s' | grep there"
done
seq 200000 | through | cksum
(echo one; sleep 0.05; echo two) | through
for i in 1 2 3 4 5 6 7 8; do
	seq "$i" 20000 | through | cksum >"sum$i" &
	clients[i]=$!
done
wait "${clients[@]}"
cat sum?
echo plain | socat -t30 - "TCP:127.0.0.1:$port" 2>/dev/null; echo "no TLS: $?"
openssl s_client -connect "127.0.0.1:$port" -quiet -verify_quiet -no_ign_eof </dev/null 2>/dev/null; echo "s_client: $?"
configure no
kill -HUP "${servers[1]}"
until [ "$(grep -c 'Configuration successful' log)" = 2 ]; do kill -0 "${servers[1]}" || break; done
# It says so before it listens.
until_done "${servers[1]}" sh -c "echo there | socat -t30 - 'UNIX-CONNECT:$dir/s' | grep there"
seq 200000 | through | cksum
kill "${servers[1]}"
wait "${servers[1]}"
echo "stunnel: $?"
kill "${servers[0]}"
wait "${servers[0]}" 2>/dev/null
servers=()
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx 'stunnel: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "dnsmasq, asked by dig over UDP and TCP, one behind another, hosts read anew, its end" {
	need_program dnsmasq dig perl
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
cd "$dir"
for n in $(seq 200); do echo "127.0.1.$n host$n.here"; done >hosts
chmod -R a+rX .
ask() { dig @127.0.0.1 -p "$1" +short +time=20 +tries=1 "${@:2}"; }
# serve N NAME OPTION...: dnsmasq on a free port, ${port[N]}, that knows NAME.
serve() {
	until ask "${port[$1]:-1}" "$2" | grep -q '^1'; do
		port[$1]=$(free_port)
		dnsmasq --keep-in-foreground --conf-file=/dev/null --user="$(id -un)" --pid-file= --no-resolv --no-hosts \
			--listen-address=127.0.0.1 --bind-interfaces --port="${port[$1]}" --log-queries --log-facility="$dir/log$1" "${@:3}" 2>/dev/null &
		servers[$1]=$!
		until_done $! eval "ask ${port[$1]} $2 | grep '^1'"
	done
}
serve 0 host1.here --addn-hosts="$dir/hosts" --address=/wild.here/10.1.2.3 --txt-record="long.here$(printf ',%0200d' $(seq 20))" \
	--cname=other.here,host2.here
ask "${port[0]}" host17.here
ask "${port[0]}" -x 127.0.1.18
ask "${port[0]}" other.here any.wild.here
ask "${port[0]}" +tcp host19.here
ask "${port[0]}" txt long.here | cksum
ask "${port[0]}" +ignore +noedns txt long.here | wc -l
ask "${port[0]}" +tcp +keepopen host20.here host21.here host22.here
serve 1 host1.here --server="127.0.0.1#${port[0]}" --cache-size=50
for n in $(seq 200); do echo "host$n.here"; done >names
ask "${port[1]}" -f names | sort | cksum
ask "${port[1]}" +tcp -f names | sort | cksum
ask "${port[1]}" txt long.here | cksum
for i in 1 2 3 4; do
	ask "${port[0]}" +tcp -f names >"got$i" &
	clients[i]=$!
done
wait "${clients[@]}"
sort got? | uniq -c | awk '{ print $1 }' | sort | uniq -c
ask "${port[1]}" none.here; echo "none: $?"
echo '127.0.2.1 fresh.here' >>hosts
kill -HUP "${servers[0]}"
until ask "${port[0]}" fresh.here | grep 127; do kill -0 "${servers[0]}" || break; done
kill -USR1 "${servers[1]}"
until grep -q 'cache size 50' log1; do kill -0 "${servers[1]}" || break; done
for n in 1 0; do
	kill "${servers[n]}"
	wait "${servers[n]}"
	echo "dnsmasq: $?"
done
servers=()
ask "${port[0]}" +time=1 host1.here >/dev/null; echo "gone: $?"
grep -h 'exiting\|read /' log0 log1 | sed 's/.*: //; s,/tmp/tmp.[A-Za-z0-9]*,DIR,' | sort | uniq -c
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx 'dnsmasq: 0' "$BATS_TEST_TMPDIR/native/stdout"
}
