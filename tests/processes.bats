# How processes come about, what they do to themselves, and that the trace says what it could not follow.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

trap_same() {
	same timeout 120 "$PROGRAMS/traps" "$@"
}

need_root() {
	[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null || skip "needs root, and the right to unshare"
}

# make_root DIR: a root directory with a shell, cat and what they need.
make_root() {
	local file
	for file in sh cat; do
		install -D "$(type -P "$file")" "$1/bin/$file"
		ldd "$(type -P "$file")" | grep -o '/[^ ]*' | while read -r file; do install -D "$file" "$1$file"; done
	done
}

@test "every trap of a process" {
	trap_same show-self itself
	trap_same raw-clones
	trap_same daemons
	trap_same subreaper
}

@test "posix_spawn: every file action" {
	trap_same spawn-actions
}

@test "posix_spawn: every attribute" {
	trap_same spawn-attributes
}

@test "programs in memory, and scripts by path and by fd" {
	trap_same exec-from-memory
}

@test "no new privileges, not dumpable, no randomization, names that are no text" {
	trap_same odd-states
}

@test "limits, by the program and by another" {
	trap_same limits
}

@test "other rights, other roots, other namespaces" {
	need_root
	trap_same other-worlds
}

@test "a user, mount and pid namespace without cgroups" {
	unshare -Urpf --mount-proc true 2>/dev/null || skip "no right to unshare"
	same unshare -Urpf --mount-proc sh -c 'echo "$$"; id -u; echo one | cat; ("$PROGRAMS/asleep"; echo two) | cat; set -- /proc/[0-9]*; echo $#'
	"$EAGAIN" record unshare -Urpf --mount-proc sh -c '("$PROGRAMS/asleep"; echo two) | cat' >out
	"$EAGAIN" log | grep -q 'ev=EWOULDBLOCK call=read fd=0'
}

@test "in another mount namespace, what the trace lies on can be unmounted" {
	unshare -Urm true 2>/dev/null || skip "no right to unshare"
	mkdir there
	for mode in native $MODES; do
		BATS_TEST_TMPDIR=$PWD/there under "inside.$mode" unshare -Urm sh -c '
			mount -t tmpfs none there && $E "$PROGRAMS/traps" unmount-elsewhere there' >"$mode"
		diff native "$mode"
	done
	unshare -Urm sh -c 'mount -t tmpfs none there && "$EAGAIN" record -o there/trace "$PROGRAMS/traps" unmount-elsewhere there &&
		"$EAGAIN" log there/trace' >log
	[ "$(grep -c 'call=write .* ret=1 ' log)" = 10000 ]
}

@test "where the loader cannot find the library, nobody hears of it" {
	need_root
	need_program perl
	make_root root
	same chroot "$PWD/root" /bin/sh -c 'echo hello | cat; cat </dev/null; exec cat /bin/none'
	mkdir closed
	cp "$EAGAIN" "$LIBRARY" closed
	chmod 700 closed
	for session in 'exec sh -c "echo one | cat"' 'sh -c "echo one | cat"; LD_PRELOAD="$LD_PRELOAD:$PROGRAMS/early.so" cat /none'; do
		observe native perl -e '$( = $) = $< = $> = 65534; exec @ARGV' sh -c "$session"
		EAGAIN=$PWD/closed/eagain observe run.auto perl -e '$( = $) = $< = $> = 65534; exec @ARGV' sh -c "$session"
		diff -r native run.auto
	done
	# It has capabilities until it execs.
	observe native setpriv --reuid=65534 --clear-groups sh -c 'echo one | cat'
	EAGAIN=$PWD/closed/eagain observe run.auto setpriv --reuid=65534 --clear-groups sh -c 'echo one | cat'
	diff -r native run.auto
}

@test "after seteuid and chroot there is room for the trace" {
	need_root
	make_root root
	mkdir -m 700 hidden
	for way in 'os.seteuid(65534)' 'os.chroot("root")'; do
		command -v python3 >/dev/null || skip "python3 is not installed"
		rm -rf hidden/trace
		"$EAGAIN" record -o hidden/trace python3 -c "
import os
r, w = os.pipe()
$way
for i in range(2500):
	os.write(w, b'x')
	os.read(r, 1)"
		[ "$("$EAGAIN" log hidden/trace | grep -c 'call=\(read\|write\) .* ret=1 ')" -ge 5000 ]
		run -1 grep 'Not everything' <("$EAGAIN" report hidden/trace)
	done
}

@test "a setuid program in the tree: it has its rights, and the report says that it is not seen" {
	need_root
	grep -q nosuid <(findmnt -no OPTIONS -T .) && skip "no setuid programs here"
	chmod 711 .
	cp "$(type -P id)" id
	chmod 4755 id
	"$EAGAIN" record -o trace setpriv --reuid=65534 --clear-groups ./id -u >out
	[ "$(cat out)" = 0 ]
	"$EAGAIN" report trace | grep -q '1 program was started that could not be recorded: static, setuid'
}

@test "strace under eagain, and eagain under strace" {
	need_program strace
	strace -o /dev/null true || skip "no right to trace"
	session='("$PROGRAMS/asleep"; echo one) | cat; "$PROGRAMS/traps" vfork-and-dup2; exit 3'
	same strace -f -o /dev/null sh -c "$session"
	mv native wanted
	observe native strace -f -o /dev/null "$EAGAIN" record -o "$PWD/trace" sh -c "$session"
	diff -r wanted native
	"$EAGAIN" log trace | grep -q 'ev=EWOULDBLOCK call=read fd=0'
}
