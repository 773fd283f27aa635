# The differential matrix: kinds x calls x states x signals x contexts, native against each mode, line by line.
# What is not combined, and why: build/tests/matrix left-out.

load helper

# cells FILTER...: runs the cells of these kinds natively and in each mode.
cells() {
	local kind mode at=$BATS_TEST_TMPDIR
	for kind; do
		"$PROGRAMS/matrix" run "/$kind/" >>"$at/native" 2>/dev/null
	done
	for mode in $MODES; do
		for kind; do
			rm -rf "$at/trace.$mode"
			under "$mode" "$PROGRAMS/matrix" run "/$kind/" >>"$at/$mode" 2>/dev/null
		done
		if [ "${mode#*.}" = flag ]; then
			diff <(without_flag_exceptions <"$at/native") <(without_flag_exceptions <"$at/$mode")
		else
			diff "$at/native" "$at/$mode"
		fi
	done
	run -1 grep -n 'could not be set up\|peer=DIFFERS' "$at/native"
	note "$(wc -l <"$at/native") cells ($*), each natively and in 4 modes"
}

# With --switch=flag, O_NONBLOCK is set while a large write to a pipe waits: that another process sets it, too, cannot be seen.
without_flag_exceptions() {
	grep -v '^\(pipe\|reopened-pipe\|fifo\)/out/.*/nonblock-later/'
}

@test "every kind that the matrix knows is run here" {
	kinds=$("$PROGRAMS/matrix" list 2>/dev/null | cut -d/ -f1 | sort -u)
	run_here=$(sed -n 's/^\tcells //p' "$BATS_TEST_FILENAME" | tr ' ' '\n' | sort -u)
	diff <(echo "$kinds") <(echo "$run_here")
	"$PROGRAMS/matrix" left-out | while read -r reason; do note "left out: $reason"; done
	note "left out with --switch=flag: O_NONBLOCK set by another process while a write to a pipe waits: it cannot be told from ours"
}

@test "matrix: reads and writes of an anonymous pipe" {
	cells pipe
}

@test "matrix: pipe reopened through /proc" {
	cells reopened-pipe
}

@test "matrix: FIFO" {
	cells fifo
}

@test "matrix: unix stream socket" {
	cells unix-stream
}

@test "matrix: unix datagram and seqpacket sockets" {
	cells unix-dgram unix-seqpacket
}

@test "matrix: TCP" {
	cells tcp
}

@test "matrix: UDP, listening and unconnected sockets" {
	cells udp listening unconnected
}

@test "matrix: terminals, canonical and VMIN 1" {
	cells tty-canonical tty-1-0
}

@test "matrix: terminals, other VMIN and VTIME, and the master side" {
	cells tty-0-0 tty-0-1 tty-5-0 ptmx
}

@test "matrix: eventfd, timerfd, signalfd, inotify, pidfd" {
	cells eventfd timerfd timerfd-armed signalfd inotify pidfd
}

@test "matrix: files, devices, bad and wrong fds" {
	cells file directory dev-null dev-zero dev-full o-path closed minus-one huge wrong-end
}
