# "write error: Resource temporarily unavailable": programs whose stdout or stdin some other process left non-blocking.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	need_program perl
	seq 300000 >big
	cat >spoil <<'PERL'
use Fcntl;
fcntl $_, F_SETFL, fcntl($_, F_GETFL, 0) | O_NONBLOCK for $ARGV[0] ? *STDIN : *STDOUT;
PERL
	# In small pieces: whoever writes is parked again and again.
	cat >slow <<'PERL'
while (sysread STDIN, $piece, 97) { print $piece }
PERL
}

parked_or_ended() {
	until [ -s status ] || grep -qs 'ev=park' log; do :; done
}

# run_it CMD...: its status goes to the file "status", what it says to "stderr", its waits to "log", where it is under eagain.
run_it() {
	local status=0
	"$@" 2>stderr || status=$?
	echo "$status" >status
}

# Its stdout was made non-blocking by a process before it, and nobody reads until it waits, or has ended.
to_spoiled() {
	{ perl spoil; run_it "$@" <big; } | { parked_or_ended; perl slow; } >got
}

# The same, but it is writing when that happens.
to_spoiled_meanwhile() {
	{
		{
			perl -e 'do { ioctl STDOUT, 0x541b, $n = pack "i", 0 } until 65000 < unpack "i", $n'
			perl spoil
			: >spoiled
		} &
		run_it "$@" <big
	} | { until [ -e spoiled ]; do :; done; perl slow; } >got
}

# Its stdin is, and there is nothing to read until it waits, or has ended.
from_spoiled() {
	{ parked_or_ended; perl slow <big; } | { perl spoil STDIN; run_it "$@"; } >got
}

# survives HOW CMD...: natively CMD loses data; here it does what it does where nobody has spoiled anything.
survives() {
	local how=$1 mode
	shift
	"$@" <big | cat >expected
	rm -f log status spoiled
	"$how" "$@"
	finds "status $(<status), $(wc -c <got) of $(wc -c <expected) bytes$(sed 's/^/: /;q' stderr)"
	run ! cmp -s got expected
	for mode in $MODES; do
		rm -f log status spoiled
		set_prefix "$mode"
		# shellcheck disable=SC2154 # set_prefix sets it
		"$how" "${prefix[@]:0:2}" --log=log "${prefix[@]:2}" "$@"
		[ "$(<status)" = 0 ] || { echo "$mode: status $(<status)"; cat stderr; tail -n 3 log; return 1; }
		[ ! -s stderr ]
		cmp got expected
		echo "$mode all bytes" >>outcomes
	done
}

@test "cat to a pipe that somebody made non-blocking" {
	need_program cat
	survives to_spoiled cat
}

@test "cat to a pipe that somebody makes non-blocking while it writes" {
	need_program cat
	survives to_spoiled_meanwhile cat
}

@test "cat from a pipe that somebody made non-blocking" {
	need_program cat
	survives from_spoiled cat
}

@test "tee to a pipe that somebody made non-blocking" {
	need_program tee
	survives to_spoiled tee /dev/null
}

@test "tar to a pipe that somebody made non-blocking" {
	need_program tar
	survives to_spoiled tar -cf - big
}

@test "make to a pipe that somebody made non-blocking" {
	need_program make
	# It reads the flags, and writes them back with O_APPEND.  It has no child, whose waits would be taken for its own.
	{ seq 20000 | sed 's/.*/$(info line &)/'; echo 'all: ; @:'; } >Makefile
	survives to_spoiled make
}

@test "printf of bash to a pipe that somebody made non-blocking" {
	need_program bash
	survives to_spoiled bash -c 'printf "%s\n" {1..50000}'
}

@test "read of bash from a pipe that somebody made non-blocking" {
	need_program bash
	survives from_spoiled bash -c 'for ((i = 0; i < 20000; i++)); do read -r line; echo "$line"; done'
}

@test "printf of dash to a pipe that somebody made non-blocking" {
	need_program dash
	survives to_spoiled dash -c 'i=0; while [ $i -lt 30000 ]; do printf "%s\n" $i || exit; i=$((i + 1)); done'
}

@test "python to a pipe that somebody made non-blocking" {
	need_program python3
	survives to_spoiled /usr/bin/python3 -c 'for i in range(50000): print(i)'
}

@test "python from a pipe that somebody made non-blocking" {
	need_program python3
	survives from_spoiled /usr/bin/python3 -c 'import sys; print(len(sys.stdin.read()))'
}

@test "sort, gzip and awk, likewise" {
	need_program sort gzip awk
	survives to_spoiled awk 'BEGIN { for (i = 0; i < 50000; i++) print i }'
	survives from_spoiled sort -rn
	survives to_spoiled gzip -nc
}

@test "a program that asked for non-blocking output gets its EAGAIN" {
	need_program python3
	cat >asked.py <<'PYTHON'
import os, select, sys
os.set_blocking(1, False)
sent = refused = 0
while sent < 1000000:
    try:
        sent += os.write(1, b"x" * min(50000, 1000000 - sent))
    except BlockingIOError:
        refused += 1
        print("refused", file=sys.stderr) if refused == 1 else None
        open("status", "w").write("told\n")
        select.select([], [1], [])
PYTHON
	same bash -c '/usr/bin/python3 "$1" | { until [ -s status ]; do :; done; wc -c; }' bash "$PWD/asked.py"
	grep -qx refused native/stderr
}
