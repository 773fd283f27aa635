# What moves data between hosts.

load helper

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
