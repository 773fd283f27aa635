# The recording: complete, within its size, and no harm to the program where there is no room for it.

load helper

setup() {
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
}

# recorded PATTERN [DIR]: how many events of the log match.
recorded() {
	"$EAGAIN" log "${2:-eagain.trace}" | grep -c "$1" || [ $? = 1 ]
}

bytes_of() {
	find "$1" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }'
}

@test "a million calls: all recorded" {
	"$EAGAIN" record "$PROGRAMS/load" calls 500000 >out
	[ "$(cat out)" = "done" ]
	[ "$(recorded 'ev=call call=\(read\|write\) fd=[0-9]* name=pipe')" = 1000000 ]
	run -1 grep 'Not everything' <("$EAGAIN" report)
}

@test "200 threads: all calls of each" {
	"$EAGAIN" record "$PROGRAMS/load" threads 200 100 >out
	"$EAGAIN" log >log
	[ "$(grep -c 'call=\(read\|write\) fd=[0-9]* name=pipe' log)" = 40000 ]
	[ "$(sed -n 's/.* tid=\([0-9]*\) .*call=\(read\|write\) fd=[0-9]* name=pipe.*/\1/p' log | sort | uniq -c | awk '{print $1}' | sort | uniq -c | awk '{print $1, $2}')" = '200 200' ]
}

@test "2,000 threads, of which 100 at once: all calls of each, in the room of 100" {
	"$EAGAIN" record --max-size=16M "$PROGRAMS/traps" threads-come-and-go
	[ "$(recorded 'ev=call call=write fd=[3-9]')" = 8000 ]
	run -1 grep 'Not everything' <("$EAGAIN" report)
}

@test "1,000 children: all calls of each" {
	"$EAGAIN" record "$PROGRAMS/load" children 1000 3 >out
	[ "$(recorded 'call=\(read\|write\) fd=[0-9]* name=pipe')" = 6000 ]
	[ "$(recorded 'ev=fork')" = 1000 ]
	[ "$("$EAGAIN" log | sed -n 's/.* pid=\([0-9]*\) .*call=write fd=[0-9]* name=pipe.*/\1/p' | sort -u | wc -l)" = 1000 ]
	"$EAGAIN" report | grep -q ' 1001 process images'
}

@test "a command of a shell takes less than 32 KiB of the trace" {
	"$EAGAIN" record -o empty sh -c ':'
	"$EAGAIN" record sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do env true; done'
	"$EAGAIN" report | grep -q ' 21 process images'
	[ "$(bytes_of eagain.trace)" -le $(($(bytes_of empty) + 10 * 32768)) ]
}

@test "threads that record at once after a fork: all calls of each" {
	"$EAGAIN" record "$PROGRAMS/load" forks 20 8 500 >out
	[ "$(recorded 'call=\(read\|write\) fd=[0-9]* name=pipe')" = 160000 ]
	"$EAGAIN" report | grep -q ' 21 process images'
}

# calls_of MODE ARGUMENT...: system calls of one round of "load", of which N is the number of rounds, up to $rounds; but for those of
# $untraced, which no tracer slows down.
calls_of() {
	local mode=$1 n more=$((${rounds:-300} - 100))
	local -a counts=() prefix=()
	shift
	set_prefix "$mode"
	for n in 100 $((more + 100)); do
		rm -rf "$BATS_TEST_TMPDIR/trace.$mode"
		strace -f ${untraced:+--seccomp-bpf -e "trace=!$untraced"} -o calls "${prefix[@]}" "$PROGRAMS/load" "${@/#N/$n}" >out </dev/null
		grep -qx 'done' out
		counts+=("$(grep -c '(' calls)")
	done
	# Now and then a chunk is taken: some calls more.
	echo $(((counts[1] - counts[0] + more / 2) / more))
}

@test "what is opened and closed, and a byte there and back again, cost so many system calls more, at most" {
	need_program strace
	strace -o /dev/null true || skip "no right to trace"
	mkdir directory
	echo text >directory/file
	# What is asked for the sake of stalls comes with time, and not with operations.
	export EAGAIN_STALL=600000
	while read -r run record what; do
		read -ra arguments <<<"$what"
		# An open that takes long is looked at.
		untraced=
		[ "${arguments[1]}" != stated ] || untraced=open,openat
		# Whether a turn waits is chance, and not the same in few as in many.
		rounds=
		[ "${arguments[0]}" != turns ] || rounds=2100
		native=$(calls_of native "${arguments[@]}")
		[ "$native" -gt 1 ]
		run_more=$(($(calls_of run.auto "${arguments[@]}") - native))
		record_more=$(($(calls_of record.auto "${arguments[@]}") - native))
		note "${what/$PWD/.}: $native natively, $run_more more with run, $record_more with record"
		[ "$run_more" -le "$run" ]
		[ "$record_more" -le "$record" ]
	done <<-END
		1 1 files N $PWD/directory/file
		1 2 files N $PWD/directory/file relative
		1 2 files N $PWD/directory/file at
		8 24 connections N
		3 21 connections N nonblock
		0 1 opened pipe N
		0 1 opened eventfd N
		0 1 opened dup N
		0 0 opened stated N
		0 3 turns N
		0 1 opened copies N
	END
}

@test "what a child that shares its parent's memory closes is not its parent's, however it was made" {
	local how
	for how in vfork __vfork clone __clone; do
		"$PROGRAMS/sharing" "$how" </dev/zero
		"$EAGAIN" record -o "trace.$how" "$PROGRAMS/sharing" "$how" </dev/zero
		"$EAGAIN" log "trace.$how" | grep -o 'ev=\(close\|dup\) call=- fd=[0-9]*' >told
		cat told >&2
		diff told - <<-END
			ev=dup call=- fd=0
			ev=dup call=- fd=0
			ev=dup call=- fd=0
			ev=close call=- fd=12
		END
	done
}

@test "what a path has opened is named at once; if it is no file, anew at its first use" {
	mkfifo fifo
	echo text >file
	"$EAGAIN" record python3 -c '
import os
os.read(os.open("fifo", os.O_RDWR | os.O_NONBLOCK), 0)
os.close(os.open("file", os.O_RDONLY))
os.read(os.open("file", os.O_RDONLY), 1)'
	"$EAGAIN" report --json | jq -r '.processes[].fds[]? | [.name, .kind] | @tsv' | grep "$PWD/f" | sort -u >kinds
	cat kinds >&2
	diff kinds - <<-END
		$PWD/fifo	fifo
		$PWD/file	file
	END
}

@test "to open a FIFO is a wait for its other end, even where nothing is read from it then" {
	mkfifo fifo
	"$EAGAIN" record python3 -c '
import os, time
if os.fork() == 0:
    os.system(os.environ["PROGRAMS"] + "/asleep %d" % os.getppid())
    time.sleep(0.1)
    os.open("fifo", os.O_WRONLY)
    os._exit(0)
os.close(os.open("fifo", os.O_RDONLY))
os.wait()'
	"$EAGAIN" report --json | jq -c '.processes[].fds[]? | select(.kind == "fifo")' | tee fifos >&2
	jq -se 'map(select(.wait_read_ns > 50000000)) | length == 1' fifos
}

@test "a file that is opened by a link, or removed, is one file, though it is named again" {
	echo text >file
	ln -s file link
	"$EAGAIN" record --max-size=1M "$PROGRAMS/load" moved 1000 >out
	recorded 'ev=fd .*name="*'"$PWD" >&2
	[ "$(recorded "ev=fd .*name=$PWD/file")" -gt 0 ]
	[ "$(recorded "ev=fd .*name=$PWD/link")" = 1 ]
	"$EAGAIN" report --json | jq -r '.processes[].fds[]? | .name' | grep "$PWD/[flg]" | sort >names
	diff names - <<-END
		$PWD/file
		$PWD/gone (deleted)
	END
}

@test "the live log, alone or beside a trace, tells when a file is closed that was only opened" {
	echo text >file
	for with in run record; do
		"$EAGAIN" $with --log=live python3 -c 'import os; os.close(os.open("file", os.O_RDONLY))'
		grep -A2 "call=open .*name=$PWD/file" live >lines
		cat lines >&2
		grep -q 'ev=close' lines
		rm live
	done
}

@test "kill -9 loses nothing that was recorded" {
	mkfifo started
	"$EAGAIN" record "$PROGRAMS/load" until-killed >started &
	read -r _ <started
	kill -KILL $!
	ends_with 137 $!
	[ "$(recorded 'ev=call call=\(read\|write\) fd=[0-9]* name=pipe')" -ge 1000 ]
	"$EAGAIN" report | grep -q 'load until-killed'
}

# killed TIMES
killed() {
	need_program perl
	perl "$TOP/tests/killed.pl" "$1" >told
	note "$(cat told)"
}

@test "kill -9 at random moments: every trace reads, and has all that was done" {
	killed 40
}

# bats test_tags=all
@test "kill -9 at a thousand random moments" {
	killed 1000
}

@test "--max-size: kept to the byte, the newest events stay, the rest is counted" {
	for size in 256K 1M 4M; do
		"$EAGAIN" record --max-size=$size "$PROGRAMS/load" calls 200000
		bytes=$(numfmt --from=iec $size)
		[ "$(bytes_of eagain.trace)" -le "$bytes" ]
		"$EAGAIN" report >report
		grep -q 'because the trace had reached its size' report
		overwritten=$(sed -n 's/^Not everything.* \([0-9]*\) oldest overwritten.*/\1/p' report)
		lost=$(sed -n 's/^Not everything.*: \([0-9]*\) events\? lost.*/\1/p' report)
		run -1 grep '[ :]0 ' <(grep '^Not everything' report)
		grep -q ', as far as it was recorded\.$' report
		kept=$(recorded 'ev=call call=\(read\|write\) ')
		# The program's own end is there: its last write, of "done".
		"$EAGAIN" log | grep 'call=write fd=1' | grep -q 'ret=5'
		[ "$((overwritten + lost + kept))" -ge 400000 ]
	done
}

# reads_many COUNT TIMES: from so many fds, in turn.
reads_many() {
	# shellcheck disable=SC2016 # perl's
	perl -MPOSIX -e 'open Z, "/dev/zero"; @f = map { POSIX::dup(fileno Z) } 1 .. $ARGV[0];
		for (1 .. $ARGV[1]) { POSIX::read($_, $b, 1) for @f }' "$@"
}

@test "thousands of fds: their names are repeated less and less often; and are there when the first are overwritten" {
	export -f reads_many
	"$EAGAIN" record -o long bash -c 'reads_many 1000 400'
	"$EAGAIN" record -o short --max-size=8M bash -c 'reads_many 2000 1; reads_many 2000 200'
	"$EAGAIN" log --call=read long >long.log
	[ "$(grep -c ' call=read .*name=/dev/zero' long.log)" = 400000 ]
	names=$("$EAGAIN" log long | grep -c ' ev=fd .*name=/dev/zero')
	note "$names names"
	[ "$names" -ge 1000 ]
	[ "$names" -le 8000 ]
	"$EAGAIN" log --call=read short | grep ' ev=call ' >short.log
	[ "$(grep -c . short.log)" -ge 100000 ]
	[ "$(grep -c 'name=- ' short.log)" -le 1 ]
}

@test "more fds than are told apart: the rest is put together" {
	mkdir d
	"$EAGAIN" record perl -e 'for (1 .. 17000) { open F, ">", "d/$_" or die; syswrite F, "x" x $_ or die; close F }'
	"$EAGAIN" report --json >json
	perl -MJSON::PP -e '
		my ($p) = @{decode_json(do { local $/; <STDIN> })->{processes}};
		my @many = grep { !defined $_->{fd} } @{$p->{fds}};
		my $bytes = 0;
		$bytes += $_->{bytes_written} for @{$p->{fds}};
		print scalar(@{$p->{fds}}) <= 16384 + 256 ? "bounded" : "not bounded", " ", join(",", map { $_->{name} =~ s!.*/d/!d/!r } grep { $_->{calls} } @many), " $bytes\n";
	' <json >out
	[ "$(cat out)" = "bounded d/* $((17000 * 17001 / 2))" ]
}

@test "a trace that is cut while it is read" {
	"$EAGAIN" record "$PROGRAMS/load" calls 50000
	mkfifo lines
	"$EAGAIN" log >lines &
	exec {lines}<lines
	read -r _ <&"$lines"
	truncate -s 8192 eagain.trace/[0-9]*
	cat <&"$lines" >/dev/null
	ends_with 0 $!
}

# killed_in CALL CMD...
killed_in() {
	"$EAGAIN" record "${@:2}" &
	until "$EAGAIN" log 2>/dev/null | grep -q " pid=$! .* ev=enter call=$1 "; do
		kill -0 $!
		sleep 0.01
	done
	kill -9 $!
	ends_with 137 $!
	"$EAGAIN" report >report
	grep -qx "  was in $1() when it was last seen" report
}

@test "killed in a call that is not attempted: the trace says in which" {
	killed_in nanosleep sleep 1000
	killed_in select perl -e 'select undef, undef, undef, 1000'
	# The child ends when its parent has.
	killed_in waitpid perl -e 'pipe R, W; if (!fork) { close W; <R>; exit } wait'
	# One that returns is no sign any more.
	"$EAGAIN" record sh -c 'sleep 0.01; :'
	run -1 grep -c ' ev=enter' <("$EAGAIN" log)
}

@test "--max-size: one budget for the whole tree" {
	"$EAGAIN" record --max-size=2M "$PROGRAMS/load" children 100 2000
	[ "$(bytes_of eagain.trace)" -le $((2 << 20)) ]
	"$EAGAIN" report | grep -q 'Not everything was recorded'
}

@test "a full file system: the program goes on, and the report says so" {
	mkdir small
	mount -t tmpfs -o size=300k none small 2>/dev/null || skip "needs the right to mount"
	status=0
	"$EAGAIN" record -o small/trace "$PROGRAMS/load" threads 4 50000 >out || status=$?
	reported=0
	"$EAGAIN" report small/trace >report || reported=$?
	umount small
	[ "$reported" = 0 ] && [ "$status" = 0 ] && [ "$(cat out)" = "done" ]
	grep -q 'because the file system was full' report
}

@test "RLIMIT_FSIZE: no SIGXFSZ for what the program did not write" {
	for blocks in 0 1 64 100 1000; do
		rm -rf eagain.trace
		status=0
		(ulimit -f $blocks; exec "$EAGAIN" record "$PROGRAMS/load" calls 50000) | cat >out || status=$?
		[ "$status" = 0 ] && [ "$(cat out)" = "done" ]
		[ ! -d eagain.trace ] || "$EAGAIN" report >report || [ $? = 1 ]
	done
	grep -q 'because the file size limit was reached' report
}

@test "a server gives up root: it goes on to be recorded, whole" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	need_program perl
	"$EAGAIN" record perl -e '$( = $) = "65534 65534"; $< = $> = 65534; open F, "/dev/zero"; sysread F, $x, 1 for 1 .. 200000'
	[ "$("$EAGAIN" log | grep -c ' call=read .* name=/dev/zero ret=1 ')" = 200000 ]
	run -1 grep 'Not everything' <("$EAGAIN" report)
}

@test "limits on the address space: the program keeps it, and the trace its size" {
	(ulimit -v 100000; "$EAGAIN" record --max-size=4M "$PROGRAMS/load" calls 300000 >out)
	[ "$(cat out)" = "done" ]
	[ "$(bytes_of eagain.trace)" -le $((4 << 20)) ]
}

@test "the live log costs the program neither SIGXFSZ nor SIGPIPE" {
	(ulimit -f 8; "$EAGAIN" run --log="$PWD/log" "$PROGRAMS/load" calls 500) >out
	[ "$(cat out)" = "done" ]
	status=0
	{ "$EAGAIN" run --log=- "$PROGRAMS/load" calls 500 2>&1 >/dev/null || echo "status $?" >status; } | head -n 1
	[ ! -e status ]
}

@test "no trace directory any more, no rights to it: the program goes on" {
	"$EAGAIN" record -o gone sh -c 'rm -r gone; "$PROGRAMS/load" calls 100000; "$PROGRAMS/load" children 3 3' >out
	[ "$(cat out)" = "$(printf 'done\ndone')" ]
	if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
		cp "$PROGRAMS/load" /tmp/load.$$
		"$EAGAIN" record -o rights setpriv --reuid=65534 --clear-groups "/tmp/load.$$" calls 100 >out
		rm -f /tmp/load.$$
		[ "$(cat out)" = "done" ]
		"$EAGAIN" report rights | grep -q 'setpriv'
	fi
}

@test "nothing but the trace is left in the working directory; nothing at all by run" {
	"$EAGAIN" run "$PROGRAMS/load" children 3 3
	[ -z "$(ls -A)" ]
	"$EAGAIN" record "$PROGRAMS/load" children 3 3
	[ "$(ls -A)" = eagain.trace ]
}

@test "the program finds no fd that is not its own, in any mode" {
	same ls /proc/self/fd
}

@test "what a program does in its sandbox, where it cannot open the trace any more: 10,000 calls" {
	"$EAGAIN" record "$PROGRAMS/traps" sandboxes
	"$EAGAIN" log | sed -n 's/.* pid=\([0-9]*\) .*ev=call call=\(read\|write\) fd=[0-9]* .*/\1/p' | sort | uniq -c >calls
	# The program itself, its child with a filter, and the one whose filter is refused; the others may not even read the clock.
	[ "$(awk '$1 >= 10000' calls | wc -l)" = 3 ]
}

@test "a FIFO that is opened by its path makes one wait in a sandbox, too, where it cannot be looked at" {
	"$EAGAIN" record "$PROGRAMS/traps" sandboxed-fifo
	"$EAGAIN" report --json | jq -c '.processes[].fds[]? | select(.kind == "fifo")' | tee fifos >&2
	jq -se 'map(select(.wait_read_ns > 50000000)) | length == 1' fifos
}

@test "a copy of a copy has the name of what it is a copy of" {
	echo text >file
	"$EAGAIN" record sh -c 'exec 7<file; exec 8<&7; exec 9<&8'
	[ "$(recorded "ev=dup call=- fd=8 name=$PWD/file ")" = 1 ]
}

@test "a dup2 or close_range that fails closes nothing; a dup2 that does not fail has closed, before it has duplicated" {
	echo text >file
	"$EAGAIN" record perl -MPOSIX -e '
		open F, "<", "file";
		POSIX::dup2(fileno F, 200) && POSIX::read(200, $b, 1) or die;
		POSIX::dup2(999, 200) and die;
		syscall(436, 200, 200, 1 << 30) == -1 or die;       # close_range, with a flag that does not exist
		POSIX::read(200, $b, 1) && POSIX::dup2(fileno F, 200) or die'
	"$EAGAIN" log | sed -n 's/.* ev=\(.*\) fd=200 .*/\1/p; s/.* ev=dup .* ret=200 .*/dup/p' | grep -v '^fd' >told
	diff told - <<-END
		dup
		call call=read
		call call=read
		close call=-
		dup
	END
}

@test "two traces in one tree: the inner one is its own" {
	"$EAGAIN" record -o outer sh -c '"$EAGAIN" record -o inner "$PROGRAMS/load" calls 10; "$PROGRAMS/asleep" | cat'
	[ "$(recorded 'call=read fd=[0-9]* name=pipe.* ret=1 ' inner)" = 10 ]
	[ "$(recorded 'call=read fd=[0-9]* name=pipe.* ret=1 ' outer)" = 0 ]
	[ "$(recorded 'ev=EWOULDBLOCK call=read' outer)" = 1 ]
}

@test "what is recorded is what was done: names, results and errors" {
	"$EAGAIN" record sh -c 'cat no-such-file; echo text >file; tail -n 1 <file; exec 3<file; read -r x <&3' >out 2>&1
	"$EAGAIN" log >log
	grep -q "call=write fd=1 name=$PWD/file ret=5 errno=-" log
	grep -q "call=read fd=0 name=$PWD/file ret=5 errno=-" log
	grep -q 'ev=exit .* ret=1 ' log
}

@test "a socket that was named before it was bound has its new name" {
	"$EAGAIN" record perl -MSocket -e 'for ([AF_INET, pack_sockaddr_in(0, INADDR_LOOPBACK)], [AF_UNIX, pack_sockaddr_un("s")]) {
		socket $listener, $_->[0], SOCK_STREAM, 0 and bind $listener, $_->[1] and listen $listener, 1 or die;
		socket $client, $_->[0], SOCK_STREAM, 0 and connect $client, getsockname $listener and accept $accepted, $listener or die;
	}'
	"$EAGAIN" log | grep 'call=accept' >log
	grep -q 'name="tcp 127.0.0.1:[1-9]' log
	grep -q 'name=unix:s ' log
}

@test "a file has the name that the kernel knows it by, however it was opened; by a link, the path of the link" {
	"$EAGAIN" record "$PROGRAMS/traps" paths >out
	"$EAGAIN" log | sed -n 's/.* call=\(open\|openat\|creat\) .* name="\?\([^ "]*\).*/\2/p' >names
	[ -s out ]
	diff <(sed 's/ (deleted)$//' out) names
	ln -s /etc/passwd link
	"$EAGAIN" record sh -c ': <link'
	[ "$(recorded "call=open.* name=$PWD/link ")" = 1 ]
}

@test "each of many files that are opened has its name, wherever in the trace it stands" {
	echo text >file
	"$EAGAIN" record "$PROGRAMS/load" files 20000 "$PWD/file" relative
	[ "$(recorded 'call=open.* name=')" = 20000 ]
	[ "$(recorded 'call=open.* name=-')" = 0 ]
}

@test "a unix socket keeps its name while O_NONBLOCK is set and cleared" {
	need_program perl
	"$EAGAIN" record perl -MFcntl -MSocket -e '
		socketpair X, Y, AF_UNIX, SOCK_STREAM, 0 or die;
		for (1 .. 1000) { fcntl X, F_SETFL, O_RDWR | O_NONBLOCK; sysread X, $x, 1 }'
	[ "$(recorded 'call=read .* errno=EAGAIN')" -ge 1000 ]
	[ "$(recorded '')" -lt 1500 ]
}

@test "a socket keeps its name while its timeout is set" {
	"$EAGAIN" record python3 -c '
import socket, struct
a, b = socket.socketpair()
for i in range(20):
    a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 10 + i, 0))
    b.send(b"x")
    a.recv(1)'
	[ "$(recorded 'ev=fd .*name=socket:')" = 2 ]
}

@test "EAGAIN that the program asked for is told apart" {
	"$EAGAIN" record "$PROGRAMS/traps" own-view >out
	"$EAGAIN" log | grep 'ev=EWOULDBLOCK call=read' | grep -q 'errno=EAGAIN.*asked=program'
}

@test "an IPv6 socket and its IPv4 peer find each other" {
	cat >program.pl <<'PERL'
use IO::Socket::IP;
my $server = IO::Socket::IP->new(LocalHost => "::", V6Only => 0, Listen => 1) or exit 9;
if (fork) { my $s = $server->accept; print {$s} scalar <$s>; wait; exit; }
my $c = IO::Socket::IP->new(PeerHost => "127.0.0.1", PeerPort => $server->sockport) or die;
$c->print("question\n"); <$c>;
PERL
	status=0
	"$EAGAIN" record perl program.pl || status=$?
	[ $status != 9 ] || skip 'no IPv6 here'
	[ "$("$EAGAIN" report | grep -c 'tcp 127.0.0.1:[0-9]*->127.0.0.1:[0-9]* [<-][->] perl program.pl')" = 2 ]
}
