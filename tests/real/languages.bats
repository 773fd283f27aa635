# Interpreters, compilers and what builds with them.

load helper

@test "make, cc and git, as far as they are here" {
	need_program make gcc
	same sh -c 'printf "all: a b\na b:\n\t@echo \$@ | cat\n" >Makefile; make -s; printf "int main(void) { return 7; }\n" >p.c; gcc -pipe p.c -o p; ./p; echo $?; rm p'
	need_program git
	same sh -c 'export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_DATE=2000-01-01T00:00:00Z GIT_COMMITTER_DATE=2000-01-01T00:00:00Z; git init -q r; cd r; seq 1000 >f; git add f; git -c user.name=n -c user.email=e commit -qm m; git log --format=%H; cd ..; git clone -q --no-local r c; cmp r/f c/f; rm -rf r/.git c/.git'
}

@test "perl: pipes, sockets, select, alarms, children" {
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
}

# reads CMD...: CMD has much to read from its stdin, and says the same in each mode.
reads() {
	seq 30000 >"$BATS_TEST_TMPDIR/input"
	# shellcheck disable=SC2034 # read by observe
	INPUT=$BATS_TEST_TMPDIR/input
	same "$@"
	grep -q '\<168894$' "$BATS_TEST_TMPDIR/native/stdout"
	[ ! -s "$BATS_TEST_TMPDIR/native/stderr" ]
	finds "status $(<"$BATS_TEST_TMPDIR/native/status"), $(wc -l <"$BATS_TEST_TMPDIR/native/stdout") lines"
}

# bats test_tags=all
@test "node: streams, sockets, HTTP, children, worker threads, signals" {
	need_program node
	reads node "$TOP/tests/real/languages/program.js"
}

# bats test_tags=all
@test "ruby: sockets, threads, select, timeouts, passed fds, children, signals" {
	need_program ruby
	reads ruby "$TOP/tests/real/languages/program.rb"
}

# bats test_tags=all
@test "java: threads, a selector, children, interrupts" {
	need_program java javac
	javac -d "$BATS_TEST_TMPDIR/classes" "$TOP/tests/real/languages/Program.java"
	reads java -XX:-UsePerfData -cp "$BATS_TEST_TMPDIR/classes" Program
}

@test "tcl: sockets with fileevent, pipelines, timers" {
	need_program tclsh
	reads tclsh "$TOP/tests/real/languages/program.tcl"
}

@test "make -j with sub-makes, which share a jobserver, gcc -flto, a FIFO of tokens" {
	need_program make gcc xargs
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
mkdir -p a b; for d in a b; do for i in 1 2 3 4 5 6; do echo "int f_${d}_$i(int n) { return n + $i; }" >$d/$i.c; done; done
cat >sub.mk <<'MAKE'
objects = $(patsubst %.c,%.o,$(sort $(wildcard *.c)))
lib.a: $(objects)
	@ar rcs $@ $(objects)
%.o: %.c
	@echo $< | cat >$@.log
	@$(CC) -pipe -O2 -c -o $@ $<
MAKE
cat >main.c <<'MAIN'
#include <stdio.h>
int f_a_1(int), f_b_6(int);
int main(void) { printf("%d\n", f_a_1(1) + f_b_6(1)); return 5; }
MAIN
printf 'p: main.c a b\n\t@$(CC) -pipe -flto=auto -O2 -o $@ main.c a/lib.a b/lib.a\na b:\n\t+@$(MAKE) --no-print-directory -s -C $@ -f ../sub.mk\n.PHONY: a b\n' >Makefile
make -j4 -s; echo "make: $?"; ./p; echo "p: $?"
cat >bad.mk <<'MAKE'
all: 1 2 3 4 5 6 7 8
1 2 3 4 5 6 7 8:
	@sh -c 'read x; exit 0' </dev/null; echo $@ >done.$@
bad: ; @sh -c 'kill -9 $$$$'
MAKE
make -j3 -s -f bad.mk all; ls done.* | wc -l; make -j3 -k -s -f bad.mk bad all 2>/dev/null; echo "bad: $?"
# A jobserver that is a FIFO, as make's from 4.4 on: a byte is a token.
mkfifo tokens; exec 5<>tokens; printf ++ >&5
for n in 1 2 3 4 5 6 7 8; do (read -r -n 1 -u 5 token; echo "$n" >done.$n; sleep 0.01; printf %s "$token" >&5) & done; wait
read -r -n 2 -u 5 left; echo "$left $(cat done.* | paste -sd,)"; exec 5>&-; rm tokens
seq 6 | xargs -P 3 -I{} make -s -B -f bad.mk {}; rm -r a b p main.c sub.mk Makefile bad.mk done.*
SESSION
	same bash "$BATS_TEST_TMPDIR/session"
	grep -qx 'make: 0' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "dpkg and apt-get: packages are built, fetched, installed and removed" {
	need_program dpkg apt-get fakeroot
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
cd "$dir"
# As root apt would give its rights up, to one who cannot come in here.
cat >conf <<CONF
Dir "$dir/apt";
Dir::State::status "$dir/root/var/lib/dpkg/status";
Dir::Etc "$dir/apt/etc";
Dir::Bin::Methods "/usr/lib/apt/methods";
APT::Sandbox::User "";
APT::Architecture "all";
APT::Architectures { "all"; };
DPkg::Options { "--root=$dir/root"; "--force-not-root"; "--force-script-chrootless"; "--log=$dir/log"; };
Debug::NoLocking "true";
Acquire::Languages "none";
quiet "2";
CONF
export APT_CONFIG=$dir/conf
mkdir -p apt/etc/apt.conf.d apt/etc/preferences.d apt/etc/trusted.gpg.d apt/var/lib/apt/lists/partial apt/var/cache/apt/archives/partial apt/var/log/apt repository root/var/lib/dpkg/info root/var/lib/dpkg/updates
touch root/var/lib/dpkg/status root/var/lib/dpkg/available
pack() {
	mkdir -p "$1/DEBIAN" "$1/usr/share/$1"
	seq 20000 >"$1/usr/share/$1/numbers"
	printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: m <m@localhost>\nDescription: d\n%s' "$1" "$2" "$3" >"$1/DEBIAN/control"
	printf '#!/bin/sh\necho "%s: $1" | cat\n' "$1" >"$1/DEBIAN/postinst"
	chmod 755 "$1/DEBIAN/postinst"
	dpkg-deb --root-owner-group -Zxz -b "$1" "repository/$1.deb"
	rm -r "$1"
}
pack one 1
pack two 2 $'Depends: one\n'
dpkg-deb -c repository/two.deb | wc -l
for deb in repository/*.deb; do
	dpkg-deb -f "$deb"
	printf 'Filename: %s\nSize: %s\nSHA256: %s\n\n' "${deb#*/}" "$(stat -c %s "$deb")" "$(sha256sum <"$deb" | cut -d' ' -f1)"
done >repository/Packages
echo "deb [trusted=yes] file://$dir/repository ./" >apt/etc/sources.list
apt-get update && echo updated
apt-cache policy two | sed -n 2,3p
apt-get install -y two; echo "install: $?"
cmp root/usr/share/one/numbers root/usr/share/two/numbers && echo there
dpkg --root="$dir/root" --force-not-root --log=log -r two; echo "remove: $?"
dpkg --root="$dir/root" --force-not-root --log=log -r none; echo "none: $?"
dpkg --root="$dir/root" --log=log -l | tail -n 2 | cut -c1-20
SESSION
	same fakeroot bash "$BATS_TEST_TMPDIR/session"
	grep -qx 'install: 0' "$BATS_TEST_TMPDIR/native/stdout"
}
