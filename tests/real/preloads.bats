# What else gets between a program and the kernel: other preloaded libraries, sanitizers, debuggers, emulators, sandboxes.

load helper

# Each comes around eagain ("outer=(fakeroot)") as well as within it.
outer=()
eval "$(declare -f set_prefix | sed '1s/.*/set_inner_prefix ()/')"
set_prefix() {
	set_inner_prefix "$1"
	prefix=("${outer[@]}" "${prefix[@]}")
}

# in_either_order TOOL... -- CMD...
in_either_order() {
	local tool=()
	while [ "$1" != -- ]; do
		tool+=("$1")
		shift
	done
	shift
	same "${tool[@]}" "$@"
	outer=("${tool[@]}")
	same "$@"
	outer=()
}

# program [FLAG...]: one with threads, signals and a pipe that it waits for; with an argument it writes there in 4 bytes.
program() {
	cat >"$BATS_TEST_TMPDIR/program.c" <<'C'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fds[2];

static void handler(int number)
{
	if (write(fds[1], &number, 1) != 1)
		_exit(99);
}

static int work(int n)
{
	char *bytes = malloc(16);
	ssize_t got = read(fds[0], bytes, 16);

	free(bytes);
	return (int)got + n;
}

static void *thread(void *result)
{
	*(int *)result = work(7);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;
	int result;

	signal(SIGUSR1, handler);
	if (pipe(fds) < 0 || write(fds[1], "hello", 5) != 5)
		return 98;
	printf("%d\n", work(1));
	pthread_create(&t, NULL, thread, &result);
	raise(SIGUSR1);
	pthread_join(t, NULL);
	printf("%d\n", result);
	if (argc > 1) {
		char *few = calloc(1, 4);

		few[atoi(argv[1])] = 'x';
		printf("%zu\n", strlen(few));
		free(few);
	}
	fflush(stdout);
	return 3;
}
C
	"${CC:-gcc}" -g -O0 -pthread "$@" -o "$BATS_TEST_TMPDIR/program" "$BATS_TEST_TMPDIR/program.c"
}

@test "fakeroot, in either order" {
	need_program fakeroot
	in_either_order fakeroot -- sh -c 'id -u; seq 1000 >f; chown 5:6 f; chmod 4755 f; stat -c "%u:%g %a" f; tar -cf - f | tar -tvf - | cut -c1-15; (sleep 0.05; echo late) | cat; rm f'
	grep -qx '5:6 4755' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "libfaketime, in either order: a date, a clock that runs faster, select" {
	need_program faketime perl
	in_either_order faketime '2001-02-03 04:05:06' -- sh -c 'date +%Y-%m-%d; touch f; stat -c %y f | cut -c1-4; rm f; (sleep 0.05; date +%Y) | cat'
	in_either_order faketime -f '@2001-02-03 04:05:06 x1000' -- sh -c 'sleep 100; date +%Y'
	# A wait of 1000 s in select is over after 0.1 s.
	in_either_order faketime -f '@2001-02-03 04:05:06 x10000' -- perl -e 'my $t = time; select undef, undef, undef, 1000; print time - $t >= 999 ? "slept\n" : "not\n"'
	grep -qx slept "$BATS_TEST_TMPDIR/native/stdout"
}

@test "stdbuf, in either order" {
	need_program stdbuf grep
	in_either_order stdbuf -oL -- sh -c '(echo one; sleep 0.05; echo two) | grep -n . | cat'
	in_either_order stdbuf -o0 -i0 -- sh -c 'seq 3000 | (head -n 1; head -n 1; cat) | cksum'
}

@test "jemalloc, tcmalloc and mimalloc, in either order" {
	need_package libjemalloc2 libtcmalloc-minimal4 libmimalloc2.0 gcc
	program
	for library in $(dpkg -L libjemalloc2 libtcmalloc-minimal4 libmimalloc2.0 | grep '/lib[a-z_]*\.so\.[0-9]*$'); do
		in_either_order env LD_PRELOAD="$library" -- "$BATS_TEST_TMPDIR/program"
		in_either_order env LD_PRELOAD="$library" -- sh -c 'seq 100000 | sort -rn | (sleep 0.05; cksum)'
		# By hand, with eagain before it.
		EAGAIN_TRACE=$BATS_TEST_TMPDIR/by-hand LD_PRELOAD=$TOP/build/libeagain.so:$library run -3 "$BATS_TEST_TMPDIR/program"
		[ "$output" = $'6\n8' ]
	done
}

@test "socket_wrapper, in either order: addresses that are not there" {
	need_package libsocket-wrapper python3
	cat >"$BATS_TEST_TMPDIR/program.py" <<'PYTHON'
import select
import socket
import threading

server = socket.create_server(("127.0.0.5", 7777))

def serve():
    c, _ = server.accept()
    with c, c.makefile("rwb") as f:
        for line in f:
            f.write(line.upper())
            f.flush()

t = threading.Thread(target=serve)
t.start()
c = socket.create_connection(("127.0.0.5", 7777))
f = c.makefile("rwb")
for i in range(100):
    f.write(b"line %d\n" % i)
    f.flush()
    assert f.readline() == b"LINE %d\n" % i
print(c.getpeername(), select.select([c], [c], [], 0)[1] == [c])
c.setblocking(False)
try:
    c.recv(1)
except BlockingIOError as e:
    print(e)
f.close()
c.close()
t.join()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("127.0.0.6", 53))
u.settimeout(5)
u.sendto(b"to itself", ("127.0.0.6", 53))
print(u.recvfrom(10))
PYTHON
	mkdir "$BATS_TEST_TMPDIR/wrapped"
	in_either_order env LD_PRELOAD=libsocket_wrapper.so SOCKET_WRAPPER_DIR="$BATS_TEST_TMPDIR/wrapped" SOCKET_WRAPPER_DEFAULT_IFACE=5 -- \
		/usr/bin/python3 "$BATS_TEST_TMPDIR/program.py"
	grep -q "b'to itself', ('127.0.0.6', 53)" "$BATS_TEST_TMPDIR/native/stdout"
}

@test "proxychains: no connection goes past the proxy" {
	need_program proxychains4 curl python3
	cat >"$BATS_TEST_TMPDIR/proxy.py" <<'PYTHON'
# A SOCKS proxy that is the end of every connection: it says where it was asked to go.
import socketserver

class Proxy(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.read(ord(self.rfile.read(2)[1:]))
        self.wfile.write(b"\5\0")
        request = self.rfile.read(10)
        self.wfile.write(b"\5\0\0\1\0\0\0\0\0\0")
        while self.rfile.readline().strip():
            pass
        where = b"%d.%d.%d.%d:%d\n" % (*request[4:8], int.from_bytes(request[8:], "big"))
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + where)

with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
PYTHON
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
coproc { exec /usr/bin/python3 "$1"; }
servers=("$COPROC_PID")
read -r port <&"${COPROC[0]}"
printf 'strict_chain\nquiet_mode\n[ProxyList]\nsocks5 127.0.0.1 %d\n' "$port" >"$dir/conf"
proxychains4 -q -f "$dir/conf" curl -sS --noproxy '*' --max-time 30 http://192.0.2.1:81/ http://192.0.2.2/
SESSION
	same bash "$BATS_TEST_TMPDIR/session" "$BATS_TEST_TMPDIR/proxy.py"
	grep -qx '192.0.2.1:81' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "several of these at once" {
	need_program fakeroot faketime stdbuf
	in_either_order fakeroot faketime '2001-02-03 04:05:06' stdbuf -oL -- sh -c 'id -u; date +%Y; seq 100000 | sort -rn | (sleep 0.05; cksum)'
}

@test "programs with AddressSanitizer, ThreadSanitizer and UBSan" {
	need_package gcc
	export ASAN_OPTIONS=verify_asan_link_order=0
	for sanitizer in address thread undefined; do
		program -fsanitize=$sanitizer
		preload=
		[ $sanitizer != thread ] || preload=$(gcc -print-file-name=libtsan.so)
		in_either_order env LD_PRELOAD="$preload" -- "$BATS_TEST_TMPDIR/program"
	done
	program -fsanitize=address
	# What it says has addresses and process ids in it.
	same sh -c '"$1" 4 2>said; echo $?; grep -c "heap-buffer-overflow\|#0.* in main" said; rm said' sh "$BATS_TEST_TMPDIR/program"
	grep -qx 3 "$BATS_TEST_TMPDIR/native/stdout"
}

@test "AddressSanitizer insists on being first, which is said before" {
	need_package gcc
	program -fsanitize=address
	unset ASAN_OPTIONS
	run -0 "$EAGAIN" check "$BATS_TEST_TMPDIR/program"
	[[ $output == *'set ASAN_OPTIONS=verify_asan_link_order=0'* ]]
	# Preloaded by hand it is first, for eagain is last.
	run -3 env LD_PRELOAD="$(gcc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0 "$EAGAIN" run "$BATS_TEST_TMPDIR/program"
	[ "$output" = $'6\n8' ]
}

@test "ThreadSanitizer as a library must be first, which is said before" {
	need_package gcc
	program -fsanitize=thread
	run -0 "$EAGAIN" check "$BATS_TEST_TMPDIR/program"
	[[ $output == *'set LD_PRELOAD=libtsan.so'* ]]
}

@test "clang's sanitizers, which are in the program, and start after eagain" {
	need_program clang
	for sanitizer in address thread memory; do
		CC=clang program -fsanitize=$sanitizer
		same "$BATS_TEST_TMPDIR/program"
		[ "$(<"$BATS_TEST_TMPDIR/native/status")" = 3 ]
	done
}

@test "strace, in either order" {
	need_program strace
	in_either_order strace -f -o /dev/null -- sh -c '(sleep 0.05; echo late) | cat; kill -USR1 $$'
}

# bats test_tags=all
@test "valgrind, in either order: memcheck, helgrind, a mistake found" {
	need_program valgrind gcc
	program
	in_either_order valgrind -q --trace-children=yes --error-exitcode=9 -- "$BATS_TEST_TMPDIR/program"
	same valgrind -q --tool=helgrind --error-exitcode=9 "$BATS_TEST_TMPDIR/program"
	same sh -c 'valgrind -q --error-exitcode=9 "$1" 4 2>said; echo $?; grep -c "Invalid write of size 1" said; rm said' sh "$BATS_TEST_TMPDIR/program"
	grep -qx 9 "$BATS_TEST_TMPDIR/native/stdout"
}

# bats test_tags=all
@test "gdb: breakpoints, threads, signals; attached to a program that waits" {
	need_program gdb gcc
	program
	# As it is installed, it has no symbols that gdb could take for the program's.
	make -s -C "$TOP" install PREFIX="$BATS_TEST_TMPDIR/installed" >/dev/null
	cat >"$BATS_TEST_TMPDIR/commands" <<'COMMANDS'
set pagination off
set debuginfod enabled off
handle SIGUSR1 nostop noprint pass
break work
run >out
backtrace
print n
finish
continue
backtrace 1
continue
COMMANDS
	EAGAIN=$BATS_TEST_TMPDIR/installed/bin/eagain same sh -c 'gdb -batch -nx -x "$1" "$2" 2>&1 | sed "s/0x[0-9a-f]\{8,\}/ADDRESS/g; s/\(LWP\|process\) [0-9]*/\1/"; cat out; rm out' \
		sh "$BATS_TEST_TMPDIR/commands" "$BATS_TEST_TMPDIR/program"
	grep -q 'Value returned is .* = 6' "$BATS_TEST_TMPDIR/native/stdout"
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
mkfifo "$dir/f"
exec 4<>"$dir/f"
"$1" <"$dir/f" &
servers=($!)
until [ "$(awk '{ print $3 }' "/proc/$!/stat")" = S ]; do :; done
gdb -batch -nx -p "$!" -ex 'break go_home' -ex "shell echo typed >$dir/f" -ex continue -ex 'print status' -ex 'x/s line' -ex detach 2>/dev/null |
	sed -n '/^Breakpoint 1, go_home/p; s/^$1 = /status /p; s/^.*<line>:/line:/p'
wait "$!"; echo "program: $?"
servers=()
SESSION
	cat >"$BATS_TEST_TMPDIR/waits.c" <<'C'
#include <stdlib.h>
#include <unistd.h>

static char line[64];

static void go_home(int status)
{
	exit(status);
}

int main(void)
{
	ssize_t n = read(0, line, sizeof line - 1);

	go_home((int)n);
}
C
	gcc -g -O0 -o "$BATS_TEST_TMPDIR/waits" "$BATS_TEST_TMPDIR/waits.c"
	same bash "$BATS_TEST_TMPDIR/session" "$BATS_TEST_TMPDIR/waits"
	grep -qx 'program: 6' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "bubblewrap: a sandbox with all files, and one that has not eagain's" {
	need_program bwrap
	all=(bwrap --dev-bind / / --unshare-pid --proc /proc --die-with-parent)
	few=(bwrap --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin --proc /proc --dev /dev)
	"${few[@]}" true || skip 'no namespaces here'
	same "${all[@]}" sh -c '(sleep 0.05; echo $$) | cat; exit 4'
	same "${few[@]}" --unshare-all sh -c '(sleep 0.05; echo $$) | cat; exit 4'
	in_either_order "${all[@]}" -- sh -c 'kill -KILL $$'
}

# bats test_tags=all
@test "chromium: a page and what its script fetches, in its sandbox" {
	need_program chromium python3 setpriv
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
export HOME=$dir
mkdir "$dir/www"
cat >"$dir/www/index.html" <<'HTML'
<p id=p>before<script>fetch("/text").then(r => r.text()).then(t => { document.getElementById("p").textContent = t; })</script>
HTML
echo fetched >"$dir/www/text"
# "Serving HTTP on 127.0.0.1 port N ..."
coproc { exec /usr/bin/python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$dir/www" 2>/dev/null; }
servers=("$COPROC_PID")
read -r _ _ _ _ _ port _ <&"${COPROC[0]}"
chromium --headless --disable-gpu --user-data-dir="$dir/data" --virtual-time-budget=10000 --dump-dom "http://127.0.0.1:$port/" 2>/dev/null
echo "chromium: $?"
SESSION
	# It refuses to run as root in its sandbox, and nobody comes into a directory of root's.
	if [ "$(id -u)" = 0 ]; then
		outer=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
		chmod a+rx "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
		chown nobody "$BATS_TEST_TMPDIR"
		chmod a+rx "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/session"
		"${outer[@]}" test -x "$EAGAIN" || skip "nobody can read $EAGAIN"
	fi
	same bash "$BATS_TEST_TMPDIR/session"
	grep -q '<p id="p">fetched' "$BATS_TEST_TMPDIR/native/stdout"
	grep -qx 'chromium: 0' "$BATS_TEST_TMPDIR/native/stdout"
}
