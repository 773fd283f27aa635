# screen.bash - a terminal of its own for a test: tmux, without anybody's settings, in which a plain shell runs.
# shellcheck shell=bash

# open_screen [COLUMNS ROWS]: a shell that leaves the terminal alone: what a program does not give back, it keeps.
open_screen() {
	need_program tmux dash
	screen new-session -d -x "${1:-80}" -y "${2:-24}" "TERM=screen PS1='@ ' PS2= dash -i" 5>&-
	screen_pid=$(screen display-message -p '#{pid}')
	shows '^@$'
}

screen() {
	tmux -S "$BATS_TEST_TMPDIR/tmux" -f /dev/null "$@"
}

close_screen() {
	[ -z "${screen_pid-}" ] || screen kill-server 2>/dev/null || true
}

press() {
	screen send-keys "$@"
}

# type_in TEXT: a command for the shell.
type_in() {
	press -l "$1"
	press Enter
}

# shown: what is on the screen now.
shown() {
	screen capture-pane -p
}

# shows PATTERN...: waits until each matches a line of the same screen, which is then in "seen".
shows() {
	local pattern all deadline=$((SECONDS + 100))
	while [ $SECONDS -le $deadline ]; do
		shown >seen
		all=yes
		for pattern; do
			grep -q -e "$pattern" seen || all=
		done
		[ -z "$all" ] || return 0
	done
	echo "not shown: $*"
	cat seen
	return 1
}

# narrow COLUMNS [FILE]: no line is wider.
narrow() {
	awk -v width="$1" 'length > width { print length ": " $0; bad = 1 } END { exit bad }' "${2:-seen}"
}

# is_clean: the shell's own screen, with a cursor, and lines that wrap.
is_clean() {
	[ "$(screen display-message -p '#{alternate_on} #{cursor_flag} #{wrap_flag}')" = '0 1 1' ]
}

# gives_back PATTERN COMMAND END...: the command, which shows the pattern, is ended by the keys END, or by TERM; the terminal is as before.
gives_back() {
	local pattern=$1 command=$2
	shift 2
	# A command that is typed before the screen is clear is not on a line of its own.
	cleared=$((${cleared-0} + 1))
	type_in "stty -g >before; clear; echo clear $cleared"
	shows "^clear $cleared\$" '^@$'
	type_in "$command"
	shows "$pattern"
	if [ "$1" = TERM ]; then
		screen list-panes -F '#{pane_pid}' >shell
		kill -TERM "$(ps -o pid= --ppid "$(cat shell)")"
	else
		press "$@"
	fi
	shows '^@$'
	rm -f after
	type_in 'stty -g >after; echo done'
	shows '^done'
	diff before after
	is_clean
}
