# Hostile surroundings: traces that are none, directories that are others', settings and names that somebody means ill with.  The
# program does what it does natively, and the command says in one line what is wrong.

load helper

setup() {
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
	echo text >file
	echo mine >victim
}

# reads VERB... DIR: with status 0, or else with status 1 and one line that says why.
reads() {
	local status=0

	timeout 20 "$EAGAIN" "$@" >out 2>err || status=$?
	[ "$status" = 0 ] || { [ "$status" = 1 ] && [ "$(wc -l <err)" = 1 ] && grep -q '^eagain: [^ ]' err; } ||
		{ echo "$*: status $status"; cat err; false; }
}

# alone CMD...: with the library alone, and the trace that EAGAIN_TRACE names.
alone() {
	env LD_PRELOAD="$LIBRARY" "EAGAIN_TRACE=$PWD/t" "$@"
}

work='cat file; cat none; (exit 3); echo $?'

# goes_on ASSIGNMENT...: a program does what it does natively, and the victim is what it was.
goes_on() {
	[ -e native ] || sh -c "$work" >native 2>&1
	alone "$@" sh -c "$work" >shimmed 2>&1 || { echo "$*: status $?"; false; }
	diff native shimmed
	[ "$(cat victim)" = mine ]
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	need_program setpriv
}

# mounted OPTIONS: an empty tmpfs as "small".
mounted() {
	mkdir -p small
	mount -t tmpfs -o "$1" none small 2>/dev/null || skip "needs the right to mount"
}

teardown() {
	! mountpoint -q small || umount -l small
	[ -z "${place-}" ] || rm -r "$place"
}

# Traces.

@test "a trace that is cut: read as far as it goes, or one line" {
	"$EAGAIN" record -o good sh -c ':'
	cut_at "$((RANDOM % 97))" 97
}

# bats test_tags=all
@test "a trace that is cut at every byte" {
	"$EAGAIN" record -o good sh -c ':'
	cut_at 0 1
}

# cut_at FIRST STEP: the headers at every byte, and what follows at each STEP-th.
cut_at() {
	local file size at verbs=(report log)

	for file in good/*; do
		cp -r good cut
		size=$(stat -c %s "$file")
		for ((at = size - 1 - $1; at >= 0; at -= at > 4096 && at < 4200 || at < 100 ? 1 : $2)); do
			truncate -s "$at" "cut/${file#good/}"
			reads "${verbs[at % 2]}" cut || { echo "$file at $at"; false; }
		done
		rm -r cut
	done
}

@test "each word of each header wrong: read, or one line" {
	local verbs=(report log)

	"$EAGAIN" record -o good sh -c ':'
	for file in good/*; do
		for at in $(seq 0 4 124) $(seq 4096 4 4216); do
			[ "$at" -lt "$(stat -c %s "$file")" ] || continue
			for bytes in 00000000 ffffff8f; do
				cp -r good bad
				perl -e 'open F, "+<:raw", $ARGV[0] or die; seek F, $ARGV[1], 0; print F pack "H*", $ARGV[2]' "bad/${file#good/}" "$at" $bytes
				reads "${verbs[at / 4 % 2]}" bad || { echo "$file at $at: $bytes"; false; }
				rm -r bad
			done
		done
	done
}

# in_memory CMD...: with little of it.
in_memory() {
	(ulimit -v 400000; "$@")
}

@test "records out of order, texts without end, times that never were: no more memory for it" {
	"$EAGAIN" record -o good sh -c 'read -r x <file; (exit 3); sleep 0.01 | cat'
	# Of a FORK or a REAP: the moment; of a NAME: how long its text is; of a CALL: for how long.
	for change in "FORK 8 00000000000000f0" "FORK 8 ffffffffffffffff" "REAP 8 00000000000000f0" "NAME 28 ffffffff" "NAME 28 00000080" \
		"CALL 24 ffffffffffffff7f" "CALL 24 ffffffffffffffff" "EXIT 24 ffffffffffffff7f" "THREAD 8 00000000000000f0" "RETURN 16 0000000000000080"; do
		read -r kind at bytes <<<"$change"
		cp -r good bad
		rewrite bad "$(kind_of "$kind")" "$at" "$bytes"
		for verb in report 'report --json' 'report --critical-path' log timeline 'export chrome' 'export svg' 'export html' 'top --count=1'; do
			# shellcheck disable=SC2086 # a verb and its options
			in_memory reads $verb bad || { echo "$change"; false; }
		done
		rm -r bad
	done
}

# Directories.

@test "what stands for the control file is another thing: the program goes on" {
	for make in ': >t/control' 'head -c 100 /dev/zero >t/control' 'head -c 4096 /dev/zero >t/control' 'mkfifo t/control' 'mkdir t/control' \
		'ln -s ../victim t/control' 'ln -s none t/control' 'ln -s control t/control' 'ln victim t/control'; do
		mkdir t
		eval "$make"
		goes_on
		goes_on EAGAIN_READINESS=1
		reads report t
		run -1 "$EAGAIN" switch off t
		run -1 "$EAGAIN" top --count=1 t
		[ "$(cat victim)" = mine ]
		rm -r t
	done
}

@test "a control file of another kind of trace: nothing is written to it" {
	"$EAGAIN" record -o good true
	for at in 8 12 16 32; do
		cp -r good t
		perl -e 'open F, "+<:raw", $ARGV[0] or die; seek F, $ARGV[1], 0; print F "\x63"' t/control $at
		cp t/control before
		goes_on
		cmp before t/control
		[ "$(ls t)" = "$(ls good)" ]
		rm -r t
	done
}

@test "what stands for the process's file is another thing: it takes the next number" {
	mkdir t
	sh -c 'mkfifo t/$$.0; mkdir t/$$.1; ln -s ../victim t/$$.2; ln -s none t/$$.3; : >t/$$.4; : >t/control.$$; rm t/control.$$
		exec env LD_PRELOAD="$0" EAGAIN_TRACE=t cat file' "$LIBRARY" >out
	[ "$(cat out)" = text ] && [ "$(cat victim)" = mine ]
	[ "$(find t -name '*.5' -size +4k | wc -l)" = 1 ]
	"$EAGAIN" report t >report
	grep -q 'cat file' report
	grep -q 'could not be read' report
}

@test "what stands for the observer's socket is another thing: the program goes on" {
	for make in ': >t/observer' 'mkfifo t/observer' 'mkdir t/observer' 'ln -s ../victim t/observer'; do
		mkdir t
		eval "$make"
		goes_on EAGAIN_READINESS=1
		reads report t
		rm -r t
	done
}

@test "the directory is a link, a file, a FIFO: nothing goes there" {
	mkdir elsewhere
	for make in 'ln -s elsewhere t' 'ln -s none t' 'ln -s t t' ': >t' 'mkfifo t'; do
		eval "$make"
		goes_on
		[ -z "$(ls elsewhere)" ] && [ ! -e none ]
		reads report t
		run -1 --separate-stderr "$EAGAIN" record -o t true
		# shellcheck disable=SC2154 # bats sets it
		[ "${#stderr_lines[@]}" = 1 ]
		rm t
	done
}

@test "another user's directory: nothing is recorded there, and what he does with it does not matter" {
	need_root
	"$EAGAIN" record -o good true
	cp -r good t
	rm t/[0-9]*
	chown -R 65534 t
	chmod 0777 t
	chmod 0666 t/control
	goes_on
	[ "$(ls t)" = control ]
	# A mapped file that is cut short is a SIGBUS.
	alone sh -c 'for i in 1 2 3; do cat file; : >t/control; done; "$PROGRAMS/load" calls 1000' >out
	[ "$(cat out)" = "$(printf 'text\ntext\ntext\ndone')" ]
	run -1 --separate-stderr setpriv --reuid=65533 --clear-groups "$EAGAIN" record -o t true
	[ "${#stderr_lines[@]}" = 1 ]
}

@test "the process's file is replaced by another of its name: that is not written to" {
	mkdir t
	alone sh -c 'mv t/$$.0 t/away; cp t/away before; cp before t/$$.0; for i in 1 2 3 4 5 6 7 8 9; do for k in 1 2 3 4 5 6 7 8 9; do
		for n in 1 2 3 4 5 6 7 8 9; do read -r x <file; done; done; done; cmp before t/$$.0 && echo same' >out
	[ "$(cat out)" = same ]
	"$EAGAIN" report t >/dev/null
}

@test "a daemon changes its user: it goes on, and what it did until then is there" {
	need_root
	mkdir t
	chmod 0711 "$BATS_TEST_TMPDIR" "$PWD"
	cat >daemon.pl <<-'PERL'
		use POSIX;
		$| = 1;
		sub work { pipe R, W; for (1 .. 2000) { syswrite W, "x"; sysread R, $x, 1 } print "worked\n" }
		work;
		POSIX::setgid(65534); POSIX::setuid(65534);
		work;
		if (!fork) { work; exec "/bin/echo", "done" }
		wait;
		print "status $?\n";
	PERL
	perl daemon.pl >native
	alone perl daemon.pl >shimmed 2>&1
	diff native shimmed
	"$EAGAIN" report t | grep -q '^Not everything was recorded'
	[ -z "$(find . -user 65534)" ]
}

@test "the file system is read-only, or goes away: the program goes on" {
	mounted size=1M
	mkdir small/t
	mount -o remount,ro small
	run -1 --separate-stderr "$EAGAIN" record -o small/new true
	[ "${#stderr_lines[@]}" = 1 ]
	ln -s small/t t
	goes_on "EAGAIN_TRACE=$PWD/small/t"
	goes_on "EAGAIN_TRACE=$PWD/small/new"
	mount -o remount,rw small
	"$EAGAIN" record -o small/t sh -c 'umount -l small; "$PROGRAMS/load" calls 20000; "$PROGRAMS/load" children 3 3' >out
	[ "$(cat out)" = "$(printf 'done\ndone')" ]
	[ -z "$(ls small)" ]
}

@test "the file system is full at each chunk: the program goes on, and the trace reads" {
	mounted size=4k
	for ((size = 12; size <= 132; size += 8)); do
		mount -o "remount,size=${size}k" small
		"$EAGAIN" record -o small/t "$PROGRAMS/load" threads 2 1500 >out
		[ "$(cat out)" = "done" ] || { echo "$size: $(cat out)"; false; }
		reads report small/t
		# With no room for the first chunk, the file may not be there either.
		[ "$size" -lt 40 ] || grep -q 'because the file system was full' out || { echo "$size"; cat out; false; }
		rm -r small/t
	done
}

# The environment.

@test "settings that make no sense: the program does what it does natively" {
	mapfile -t variables < <(grep -o '"EAGAIN_[A-Z_]*"' "$TOP/shim/settings.def" | tr -d '"' | grep -v '^EAGAIN_TRACE$\|^EAGAIN_LOG$')
	[ "${#variables[@]}" -gt 10 ]
	printf -v long '%5000s' ''
	for variable in "${variables[@]}"; do
		for value in '' 0 -1 18446744073709551615 9999999999G 0x10 '*,' $'\e[31m' "${long// /x}"; do
			goes_on "$variable=$value"
			rm -rf t
		done
	done
	# A path that is one, but not for a trace.
	for trace in /proc/self /dev/null /dev/null/t "${long// /x}" "$PWD/none/none" ''; do
		goes_on "EAGAIN_TRACE=$trace"
	done
	for log in / /dev/null/log none/log '@' '@:' '@99999999999999999999999:' "${long// /x}" ''; do
		goes_on "EAGAIN_LOG=$log"
	done
	rm -rf t @
	[ "$(ls)" = "$(printf 'file\nnative\nshimmed\nvictim')" ]
}

@test "setuid: nothing of the environment counts" {
	need_root
	need_program gcc
	# Where another user can come to.
	place=$(mktemp -d /tmp/eagain.XXXXXX)
	chmod 0777 "$place"
	cp "$LIBRARY" "$place/libeagain.so"
	# The loader ignores LD_PRELOAD there; linked to it, it is loaded all the same.
	echo 'int puts(const char *); int main(void) { return puts("setuid") < 0; }' >program.c
	gcc -o "$place/program" program.c -Wl,--no-as-needed "$place/libeagain.so" "-Wl,-rpath,$place"
	EAGAIN_TRACE=$place/plain "$place/program" >out
	[ -e "$place/plain/control" ]
	chown 65533 "$place/program"
	chmod 4755 "$place/program"
	EAGAIN_TRACE=$place/t EAGAIN_LOG=$place/log "$place/program" >out
	[ "$(cat out)" = setuid ]
	[ ! -e "$place/t" ] && [ ! -e "$place/log" ]
}

# Names.

evil=$'\e]0;evil\a\xc2\x9b31m\e[8m\e(0\x9b'

# obeyed FILE: whether any of that is in it.  A byte 9b may be the end of another character.
obeyed() {
	perl -0777 -ne 'exit !/\e\]|\a|\e\[8m|\e\(0|\xc2\x9b|(?<![\x80-\xbf\xc2-\xf4])\x9b/' "$1"
}

@test "escapes in names of files, programs, threads and sockets never reach a terminal, by no view" {
	need_program perl script
	export evil
	cat >program.pl <<-'PERL'
		use Socket;
		$0 = $ENV{evil};
		syscall 157, 15, $ENV{evil} if `uname -m` =~ /x86_64/;
		socket L, AF_UNIX, SOCK_STREAM, 0; bind L, pack_sockaddr_un($ENV{evil}); listen L, 1;
		socket C, AF_UNIX, SOCK_STREAM, 0; connect C, pack_sockaddr_un($ENV{evil}); accept A, L;
		open F, ">", "$ENV{evil}.file"; syswrite F, "x";
		if (!fork) { select undef, undef, undef, 0.05; syswrite C, "x"; exit }
		sysread A, $x, 1; wait;
	PERL
	perl -e 'exec {"perl"} $ENV{evil}, "program.pl", $ENV{evil}' >/dev/null
	rm -f "$evil" "$evil.file"
	"$EAGAIN" record -o "t$evil" --log="$PWD/live" perl -e 'exec {"perl"} $ENV{evil}, "program.pl", $ENV{evil}'
	run -0 obeyed <(printf %s "$evil")
	mapfile -t formats < <(sed -n 's/^FORMAT(\([a-z]*\),.*/export \1/p' "$TOP/tracer/formats.def" | grep -v perfetto)
	for verb in report 'report --json' 'report --critical-path' log timeline 'timeline --by=fd' 'timeline --op=1' 'top --count=1' \
		"${formats[@]}"; do
		# shellcheck disable=SC2086 # a verb and its options
		"$EAGAIN" $verb "t$evil" >view 2>&1
		[ -s view ]
		run -1 obeyed view
		# On a terminal, in colour.
		VERB=$verb TERM=xterm script -qec '"$EAGAIN" $VERB "t$evil"' /dev/null </dev/null >view 2>&1
		run -1 obeyed view
	done
	# What waits for keys: some, and then q until it ends.
	for verb in 'timeline -i' top; do
		{
			for key in $'\r' $'\t' '?' q p t f $'\r' ' '; do
				printf %s "$key"
				sleep 0.05
			done
			while printf q; do sleep 0.05; done
		} 2>/dev/null | VERB=$verb TERM=xterm timeout 20 script -qec '"$EAGAIN" $VERB "t$evil"' /dev/null >view 2>&1
		grep -q evil view
		run -1 obeyed view
	done
	[ -s live ]
	run -1 obeyed live
	for message in "report none$evil" "record -o t -- none$evil" "export $evil" "log --call=$evil"; do
		# shellcheck disable=SC2086 # several words
		if "$EAGAIN" $message >view 2>&1; then false; fi
		[ -s view ]
		run -1 obeyed view
	done
}

@test "a trace of operations that never return: each is found as fast as a few are" {
	user() { local TIMEFORMAT=%U; { time timeout 100 "$EAGAIN" log --longer-than=1s "$1" >log; } 2>&1; }
	"$EAGAIN" record -o few "$PROGRAMS/load" calls 500000 >/dev/null
	cp -r few many
	perl -e '
		my ($call, $would_block, @files) = @ARGV;
		for my $file (@files) {
			open my $f, "+<:raw", $file or die;
			my $all = do { local $/; <$f> };
			for (my $slot = 4096 + 64; $slot + 32 <= length $all; $slot += 32) {
				next if ord(substr $all, $slot, 1) != $call;
				substr($all, $slot, 1) = chr $would_block;
				substr($all, $slot + 24, 8) = pack "LL", ++$op, 1;
			}
			seek $f, 0, 0;
			print $f $all;
		}' "$(kind_of CALL)" "$(kind_of WOULD_BLOCK)" many/[0-9]*
	few=$(user few)
	[ "$("$EAGAIN" log many | grep -c 'ev=EWOULDBLOCK')" -ge 500000 ]
	many=$(user many)
	note "of operations that return at once: $few s of CPU time, that never return: $many s"
	# It was 80 times as much when they were looked for one by one.
	awk -v few="$few" -v many="$many" 'BEGIN { exit many > 25 * (few + 0.01) }'
}
