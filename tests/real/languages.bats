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
