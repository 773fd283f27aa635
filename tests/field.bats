# How preloaded shims break in the field: the failures that others report, one test each, by their conditions.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

trap_same() {
	same timeout 120 "$PROGRAMS/traps" "$@"
}

# with_preload LIBRARY CMD...: CMD with that library preloaded, natively and in each mode.
with_preload() {
	same env LD_PRELOAD="$1" "${@:2}"
}

# in_both_orders LIBRARY CMD...: the same, and where both are named in LD_PRELOAD, one way and the other.
in_both_orders() {
	local order
	with_preload "$@"
	mv native wanted
	# shellcheck disable=SC2153 # helper.bash
	for order in "$1:$LIBRARY" "$LIBRARY:$1"; do
		observe native env LD_PRELOAD="$order" EAGAIN_TRACE="$PWD/trace" "${@:2}"
		diff -r wanted native
	done
	rm -rf wanted trace
}

# logged CMD...: the same natively and with a live log, which is then in ./log.
logged() {
	rm -rf wanted log
	observe native "$@"
	mv native wanted
	observe native env LD_PRELOAD="$LIBRARY" EAGAIN_LOG="$PWD/log" "$@"
	diff -r wanted native
}

# installed NAME: the path of a library, where there is one.
installed() {
	ldconfig -p | sed -n "s/.*$1.* => //p" | head -n 1
}

@test "every failure of the list has its test" {
	diff <(seq -w 1 34) <(sed -n 's/^@test "field \([0-9]*\): .*/\1/p' "$BATS_TEST_FILENAME" | uniq)
}

@test "field 01: calls before the shim's constructor: constructors, preinit, IFUNC resolvers, LD_AUDIT" {
	in_both_orders "$PROGRAMS/early.so" "$PROGRAMS/traps" zero-length
	in_both_orders "$PROGRAMS/indirect.so" "$PROGRAMS/traps" zero-length
	grep -q 'indirect: good' native/stderr
	in_both_orders "$PROGRAMS/early.so:$PROGRAMS/indirect.so" "$PROGRAMS/own"
	same env LD_AUDIT="$PROGRAMS/audit.so" "$PROGRAMS/traps" zero-length
	grep -q audited native/stderr
}

@test "field 01: what the shim exports it calls itself without asking the loader, who may not be there yet, or have another" {
	run -0 --separate-stderr readelf -Wr "$LIBRARY"
	[[ $output == *JUMP_SLO* ]]
	run -0 awk '$3 ~ /JUMP_SLO/ && $4 !~ /^0+$/ { print $5 }' <<<"$output"
	[ -z "$output" ]
}

@test "field 02: malloc that calls dlsym and reads: an allocator that does all of it, jemalloc, mimalloc, tcmalloc, ksh" {
	for library in "$PROGRAMS/alloc.so" "$(installed libjemalloc.so)" "$(installed libmimalloc.so)" "$(installed libtcmalloc_minimal.so)"; do
		[ -n "$library" ] || continue
		with_preload "$library" "$PROGRAMS/traps" fork-among-threads
	done
	in_both_orders "$PROGRAMS/alloc.so" "$PROGRAMS/traps" inside-libc
	with_preload "$PROGRAMS/alloc.so" sh -c 'seq 3000 | sort -rn | head -n 2; echo "$(echo inner | cat)"'
	if command -v ksh >/dev/null; then
		same ksh -c 'seq 1000 | while read -r n; do [ $((n % 400)) = 0 ] && print $n; done; cat |& print -p hello; read -p x; print "$x"; exec 3<&p; (exit 3); print $?'
	fi
}

@test "field 03: pthread_once entered again: nothing that could be" {
	run -1 grep -E ' (pthread_once|__pthread_once|call_once)' <(nm -D --undefined-only "$LIBRARY")
	in_both_orders "$PROGRAMS/early.so:$PROGRAMS/alloc.so" "$PROGRAMS/own"
}

@test "field 04: the shim's own log calls itself, or changes errno" {
	trap_same errno-untouched
	for trap in errno-untouched handler-does-io inside-libc; do
		logged "$PROGRAMS/traps" "$trap"
		grep -q 'call=read' log
	done
}

@test "field 05: programs that close every fd: a loop, closefrom, close_range, python3, sudo, sshd" {
	trap_same close-all
	if command -v python3 >/dev/null; then
		same python3 -c 'import os, subprocess; os.closerange(3, 70000); print(subprocess.run(["ls", "/proc/self/fd"], close_fds=True).returncode, os.pipe())'
	fi
	if [ "$(id -u)" = 0 ] && command -v sudo >/dev/null; then
		same sudo -n sh -c 'ls /proc/self/fd | cat'
	fi
	if command -v /usr/sbin/sshd >/dev/null; then
		ssh-keygen -q -t ed25519 -N '' -f key
		same /usr/sbin/sshd -T -f /dev/null -h "$PWD/key"
	fi
}

@test "field 06: the program's fds on numbers of the shim's: files are not corrupted" {
	trap_same dup2-everywhere
	session='for ((i = 3; i < 200; i++)); do eval "exec $i>>file"; echo "$i" >&$i; done; for ((i = 3; i < 200; i++)); do eval "exec $i>&-"; done; echo x | cat'
	same bash -c "$session"
	[ "$(md5sum <native/files/file)" = "$(seq 3 199 | md5sum)" ]
	logged bash -c "$session"
	run -1 grep -v '^t=[0-9.]* pid=' log
}

@test "field 07: fds of the shim's leak over exec: there is none" {
	same sh -c 'echo x | cat; ls /proc/self/fd; exec ls /proc/self/fd'
	logged sh -c 'echo x | cat; ls /proc/self/fd; exec ls /proc/self/fd'
}

@test "field 08: RLIMIT_NOFILE: as high as the kernel allows, and 16" {
	# Without the right to raise it, the hard limit it is.
	(ulimit -n "$(cat /proc/sys/fs/nr_open)" || ulimit -n "$(ulimit -Hn)"; trap_same high-fds)
	trap_same few-fds
}

@test "field 09: fork while other threads are inside the shim; each child has its own file" {
	trap_same fork-among-threads
	"$EAGAIN" record "$PROGRAMS/load" forks 10 4 100 >out
	"$EAGAIN" report | grep -q ' 11 process images'
}

@test "field 10: what a vfork child, posix_spawn, system and popen do to the parent's memory" {
	trap_same vfork-child
	trap_same vfork-and-dup2
	trap_same spawn-forms
}

@test "field 11: a cleared environment, an LD_PRELOAD of the program's own: both are there, and the child is followed" {
	same env -i LD_PRELOAD="$PROGRAMS/early.so" "$PROGRAMS/traps" spawn-forms
	same sh -c 'LD_PRELOAD=$PROGRAMS/early.so "$PROGRAMS/traps" zero-length; "$PROGRAMS/traps" zero-length; unset LD_PRELOAD; "$PROGRAMS/traps" zero-length'
	trap_same cleared-environment
	"$EAGAIN" record "$PROGRAMS/traps" cleared-environment >/dev/null
	[ "$("$EAGAIN" log | grep -c 'call=read .*name=pipe:.* ret=[1-9]')" -ge 5 ]
	[ "$("$EAGAIN" report --json | grep -o '"ppid":[0-9]*,"command":"[^"]*cat"' | wc -l)" = 3 ]
	for theirs in "" "LD_PRELOAD=$PROGRAMS/early.so" "LD_PRELOAD=$PROGRAMS/early.so:$LIBRARY" "LD_PRELOAD=$LIBRARY $PROGRAMS/second.so" "LD_PRELOAD=libnone.so:"; do
		rm -rf eagain.trace
		# shellcheck disable=SC2086 # none, or one
		"$EAGAIN" record env -i ${theirs:+"$theirs"} "$PROGRAMS/traps" vfork-and-dup2 >out 2>err
		grep -q 'from echo' out
		"$EAGAIN" log | grep -q 'ev=EWOULDBLOCK call=read'
		"$EAGAIN" report >report
		grep -q 'traps vfork-and-dup2' report
		[ -z "$theirs" ] || [ "${theirs#*early}" = "$theirs" ] || [ "$(grep -c constructor err)" = 3 ]
	done
}

@test "field 12: static and setuid programs: said before they start, and in a tree that is followed" {
	gcc -static -x c -o static - <<<'int main(void) { return 3; }' || skip "no static libc"
	run -126 "$EAGAIN" run ./static
	[[ $output == 'eagain: ./static: statically linked'* ]]
	# By exec after fork, by vfork, by posix_spawn: each is one program of which nothing is known.
	"$EAGAIN" record sh -c '(exec ./static); ./static; env ./static; exit 0'
	"$EAGAIN" report | grep -q '^3 programs were started that could not be recorded'
	[ "$("$EAGAIN" log | grep -c 'ev=exec')" -ge 3 ]
	command -v python3 >/dev/null || skip "python3 is not installed"
	"$EAGAIN" record python3 -c 'import os; os.waitpid(os.posix_spawn("./static", ["static"], {}), 0); os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)'
	"$EAGAIN" report | grep -q '^1 program was started that could not be recorded'
	# An exec that failed is none.
	"$EAGAIN" record sh -c './none; /bin/true; exec ./none' || [ $? = 127 ]
	run -1 grep 'could not be recorded' <("$EAGAIN" report)
	"$EAGAIN" log | grep -q 'ev=exec .* ret=-1 errno=ENOENT'
}

@test "field 12: another class, another libc: by exec, spawn, system and script, the loader has nothing to complain of" {
	need_program musl-gcc
	mkdir bin
	musl-gcc -o bin/foreign -x c - <<<'int puts(const char *); int main(void) { puts("musl"); return 3; }'
	printf '#! %s\n' "$PWD/bin/foreign" >bin/script
	printf '#!%s\n' "$PWD/bin/script" >bin/scripts
	chmod 755 bin/script*
	# The 32-bit libc alone will do: gcc-multilib cannot be installed next to cross compilers.
	gcc -m32 -nostartfiles -nodefaultlibs -fno-builtin -fno-pic -no-pie -o bin/foreign32 -x c - -x none /lib32/libc.so.6 2>err <<-'END' ||
		int puts(const char *);
		void exit(int);
		__attribute__((force_align_arg_pointer)) void _start(void) { puts("32"); exit(3); }
	END
		cp bin/foreign bin/foreign32
	export PATH=/none:$PWD/bin:$PATH
	for program in foreign foreign32 script scripts; do
		same sh -c "$program; env $program; env $PWD/bin/$program; exec $program"
		[ "$(cat native/status)" = 3 ]
		command -v perl >/dev/null || continue
		same perl -e "system '$program'; system '$program; true'; print \`$program\`; exec '$program'"
	done
	"$EAGAIN" record sh -c 'foreign; foreign32; script; true'
	"$EAGAIN" report | grep -q '^3 programs were started that could not be recorded'
}

@test "field 13: a newer libc, fortify: the oldest symbols that do, and no checking variant" {
	newest=$(objdump -T "$LIBRARY" | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -V | tail -n 1)
	[ "$(printf '%s\n2.34\n' "$newest" | sort -V | tail -n 1)" = 2.34 ]
	run -1 grep -E '_chk(@|$)' <(nm -D --undefined-only "$LIBRARY" | grep -v '__chk_fail\|__vsnprintf_chk')
}

@test "field 14: SA_RESTART lost, EINTR swallowed: alarm, Ctrl-C, one kind of handler on top of the other" {
	trap_same alarm-ends-read
	trap_same ctrl-c
	trap_same nested-handlers
}

@test "field 15: a handler does I/O inside the shim, or leaves it by siglongjmp" {
	trap_same handler-does-io
	trap_same longjmp-many
}

@test "field 16: no timer, signal or thread of the shim's: tail -f, unshare and setuid in threads" {
	trap_same nothing-of-its-own
	same sh -c 'seq 3 >file; (sleep 0.2; echo end >>file) & tail -f -n +1 file | head -n 4; rm file'
}

@test "field 17: closed, shut down, replaced by one thread while another waits" {
	trap_same closed-while-waiting
	trap_same stolen-bytes
}

@test "field 18: pthread_cancel inside the shim" {
	trap_same cancellation
	trap_same canceled-with-data
}

@test "field 19: I/O after the shim's end: destructors, atexit, _exit, quick_exit, abort" {
	in_both_orders "$PROGRAMS/early.so" "$PROGRAMS/traps" exit-forms
	grep -q 'destructor: ' native/stderr
}

@test "field 20: small stacks" {
	trap_same small-stacks
}

@test "field 21: O_NONBLOCK that the shim did not see set or cleared" {
	trap_same nonblock-unseen
	# With --switch=flag it is on an fd in use: nobody can tell who else has set it.
	MODES='run.auto record.auto' trap_same nonblock-unseen used
}

@test "field 22: fortified calls, 64-bit and internal names: served, and seen" {
	trap_same other-names
	"$EAGAIN" record "$PROGRAMS/traps" other-names >/dev/null
	"$EAGAIN" log >log
	for call in read recv recvfrom poll select write send connect open pread64; do
		grep -q "ev=\(call\|ready\) call=$call " log || { echo "not in the log: $call"; false; }
	done
}

@test "field 23: what libc calls inside itself: stdio, dprintf, the resolver, system, popen" {
	trap_same inside-libc
	trap_same stdio-dprintf-and-puts
}

@test "field 24: a program with close and read of its own" {
	same "$PROGRAMS/own"
	grep -q 'own: [1-9]' native/stdout
}

@test "field 25: RTLD_DEEPBIND, -Bsymbolic, dlsym by hand, raw syscall()" {
	trap_same by-hand "$PROGRAMS/deep.so"
}

@test "field 26: AddressSanitizer wants to be first: a word of advice, and then it runs" {
	gcc -fsanitize=address -x c -o asan - <<<'int main(void) { return 3; }' || skip "no AddressSanitizer"
	run --separate-stderr -0 "$EAGAIN" check ./asan
	[[ $stderr == 'eagain: ./asan: '*verify_asan_link_order=0 ]]
	export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0
	run --separate-stderr -0 "$EAGAIN" check ./asan
	[ -z "$stderr" ]
	run -3 "$EAGAIN" run ./asan
}

@test "field 27: sandboxes that kill at, or refuse, what the program does not do itself" {
	trap_same sandboxes
	trap_same refused-calls sh -c 'echo one | cat; "$PROGRAMS/traps" fork-chain'
}

@test "field 28: no memory that is written becomes executable" {
	trap_same no-new-code "$PROGRAMS/traps" inside-libc
	trap_same no-new-code sh -c 'seq 1000 | sort -rn | tail -n 1'
}

@test "field 29: dash turns off O_NONBLOCK, and says so, where it would natively; where it is shielded it never meets it" {
	need_program dash
	# It is given its commands when it sleeps.
	session='(until grep -q dash /proc/$$/comm && grep -q "State:.S" /proc/$$/status; do :; done; echo "echo hello; exit 4" >&3) & exec dash 2>&1 3>&-'
	EAGAIN_SHIELD=off same "$PROGRAMS/given" pipe nonblock sh -c "$session"
	grep -q 'turning off NDELAY' native/stdout
	run -4 "$EAGAIN" run "$PROGRAMS/given" pipe nonblock sh -c "$session"
	[ "$output" = hello ]
}

@test "field 30: a blocking connect: no EINPROGRESS; one that a handler has ended goes on" {
	trap_same interrupted-connect
}

@test "field 31: no timeouts of its own" {
	trap_same no-timeouts
}

@test "field 32: copies of an fd have its flag: dup, /proc/self/fd, SCM_RIGHTS" {
	trap_same flag-of-copies
}

@test "field 33: large vectors, partial writev, control data, MSG_ZEROCOPY, urgent data" {
	trap_same large-messages
}

@test "field 34: two shims: one as most are written, libfaketime, fakeroot, stdbuf, libeatmydata, jemalloc" {
	with_preload "$PROGRAMS/second.so" "$PROGRAMS/traps" zero-length
	grep -q 'second: asked' native/stderr
	[ -z "$(installed libjemalloc.so)" ] || in_both_orders "$(installed libjemalloc.so)" sh -c 'seq 2000 | sort -rn | head -n 1'
	if command -v faketime >/dev/null; then
		same faketime -f '2020-02-02 12:00:00' sh -c 'date +%F; (sleep 0.05; echo x) | cat; date +%F'
	fi
	if command -v fakeroot >/dev/null; then
		same fakeroot sh -c 'touch file; chown 7:8 file; stat -c "%u %g" file | cat; id -u; rm file'
	fi
	same stdbuf -o0 sh -c 'seq 5 | tr 1 2 | stdbuf -oL cat; echo "$(seq 3 | stdbuf -i0 head -n 1)"'
	if command -v eatmydata >/dev/null; then
		same eatmydata sh -c 'dd if=/dev/zero of=file bs=4k count=3 conv=fsync 2>/dev/null; seq 3 | cat; cksum file'
	fi
}
