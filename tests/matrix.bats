# The differential matrix: families of calls x kinds x calls x states x signals x contexts, native against each mode, line by
# line.  What is not combined, and why: build/tests/matrix left-out.

load helper

# cells FAMILY KIND...: runs the family's cells on these kinds natively and in each mode.
cells() {
	local family=$1 kind mode at=$BATS_TEST_TMPDIR
	shift
	for kind; do
		"$PROGRAMS/matrix" run "/$family/$kind/" >>"$at/native" 2>/dev/null
	done
	for mode in $MODES; do
		for kind; do
			rm -rf "$at/trace.$mode"
			under "$mode" "$PROGRAMS/matrix" run "/$family/$kind/" >>"$at/$mode" 2>/dev/null
		done
		diff <(without_exceptions "$mode" <"$at/native") <(without_exceptions "$mode" <"$at/$mode") || differ_by_chance "$mode"
	done
	run -1 grep -n 'could not be set up\|peer=DIFFERS' "$at/native"
	note "$(wc -l <"$at/native") cells ($family: $*), each natively and in 4 modes"
}

# With --switch=flag, O_NONBLOCK is set while a call waits: that another process sets it, too, cannot be seen.
without_exceptions() {
	if [ "${1#*.}" = flag ]; then grep -v '/nonblock-later/'; else cat; fi
}

# differ_by_chance MODE: on a loaded machine the kernel itself does not always do the same (how much of a large write TCP takes
# before a signal, say): a few cells may differ once, if they then do not, five times in a row.
differ_by_chance() {
	local cell cells at=$BATS_TEST_TMPDIR
	mapfile -t cells < <(diff <(without_exceptions "$1" <"$at/native") <(without_exceptions "$1" <"$at/$1") | sed -n 's/^[<>] \([^:]*\):.*/\1/p' | sort -u)
	[ ${#cells[@]} -le 3 ] || return 1
	for cell in "${cells[@]}"; do
		for _ in 1 2 3 4 5; do
			rm -rf "$at/trace.$1"
			diff <("$PROGRAMS/matrix" run "/$cell" 2>/dev/null) <(under "$1" "$PROGRAMS/matrix" run "/$cell" 2>/dev/null) || return 1
		done
		note "differed once in $1, then five times not: $cell"
	done
}

@test "every family and kind that the matrix knows is run here" {
	kinds=$("$PROGRAMS/matrix" list 2>/dev/null | cut -d/ -f1,2 | sort -u)
	run_here=$(sed -n 's/^\tcells //p' "$BATS_TEST_FILENAME" | awk '{ for (i = 2; i <= NF; i++) print $1 "/" $i }' | sort -u)
	diff <(echo "$kinds") <(echo "$run_here")
	"$PROGRAMS/matrix" left-out | while read -r reason; do note "left out: $reason"; done
	note "left out with --switch=flag: O_NONBLOCK set by another process while a call waits: it cannot be told from ours"
}

@test "matrix: reads and writes of an anonymous pipe" {
	cells transfer pipe
}

@test "matrix: pipe reopened through /proc" {
	cells transfer reopened-pipe
}

@test "matrix: FIFO" {
	cells transfer fifo
}

@test "matrix: unix stream socket" {
	cells transfer unix-stream
}

@test "matrix: unix datagram and seqpacket sockets" {
	cells transfer unix-dgram unix-seqpacket
}

@test "matrix: TCP" {
	cells transfer tcp
}

@test "matrix: UDP, listening and unconnected sockets" {
	cells transfer udp listening unconnected
}

@test "matrix: terminals, canonical and VMIN 1" {
	cells transfer tty-canonical tty-1-0
}

@test "matrix: terminals, other VMIN and VTIME, and the master side" {
	cells transfer tty-0-0 tty-0-1 tty-5-0 ptmx
}

@test "matrix: eventfd, timerfd, signalfd, inotify, pidfd" {
	cells transfer eventfd timerfd timerfd-armed signalfd inotify pidfd
}

@test "matrix: files, devices, bad and wrong fds" {
	cells transfer file directory dev-null dev-zero dev-full o-path closed minus-one huge wrong-end
}

@test "matrix: messages on unix stream sockets" {
	cells message unix-stream
}

@test "matrix: messages on unix datagram and seqpacket sockets" {
	cells message unix-dgram unix-seqpacket
}

@test "matrix: messages on TCP, UDP and what takes none" {
	cells message tcp udp unconnected file closed
}

@test "matrix: accept" {
	cells connection tcp-listener unix-listener seqpacket-listener unconnected tcp udp unix-stream unix-dgram pipe file closed
}

@test "matrix: connect" {
	cells connection to-udp to-tcp to-tcp-nobody to-tcp-full to-unix to-unix-dgram to-unix-nobody to-unix-full to-seqpacket-full
}

@test "matrix: poll, select and epoll on pipes, terminals, files and eventfds" {
	cells poll pipe tty-1-0 eventfd file closed
}

@test "matrix: poll, select and epoll on sockets" {
	cells poll unix-stream tcp udp tcp-listener
}

@test "matrix: reads and writes at an offset" {
	cells offset pipe fifo unix-stream tcp tty-1-0 eventfd timerfd file directory dev-zero wrong-end closed
}

@test "matrix: sendfile, splice, tee, vmsplice, copy_file_range" {
	cells move pipe fifo unix-stream tcp tty-1-0 file dev-null wrong-end closed
}

@test "matrix: stdio" {
	cells stream pipe fifo unix-stream tcp tty-canonical tty-1-0 file dev-null closed
}

@test "matrix: raw numbers through syscall()" {
	cells raw pipe unix-stream tcp tcp-listener to-tcp-full file closed
}
