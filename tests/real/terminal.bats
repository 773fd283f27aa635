# Programs on a terminal.  Each test has a dialogue with them, once with eagain around the whole session, and once around each
# program that is started in it.

load helper

setup() {
	unset E
	export TERMINAL=$BATS_TEST_TMPDIR/terminal.tcl
	cat >"$TERMINAL" <<'TCL'
# What has been on the terminal goes to stdout, in the pieces that were waited for; pids are left out.
log_user 0
set timeout 120

proc show {text} {
	regsub -all {(\[\d+\][+-]?) +\d+} $text {\1 PID} text
	puts -nonewline $text
	flush stdout
}

proc until {text} {
	global expect_out spawn_id
	expect {
		-ex $text { show $expect_out(buffer) }
		timeout { expect "*"; puts "\n-- no \"$text\" after: $expect_out(buffer)"; exit 1 }
		eof { puts "\n-- ended before \"$text\": $expect_out(buffer)"; exit 1 }
	}
}

proc end {} {
	global expect_out spawn_id
	expect {
		eof { show $expect_out(buffer) }
		timeout { expect "*"; puts "\n-- goes on after: $expect_out(buffer)"; exit 1 }
	}
	puts "status [lrange [wait] 3 end]"
}
TCL
}

# both_ways CMD...: as same, around the whole of it, and around what it starts by $E; also with eagain as the parent.
both_ways() {
	local mode all="$MODES parent.auto parent.flag"
	for mode in $all; do all+=" inside.$mode"; done
	MODES=$all same "$@"
}

dialogue() {
	cat >"$BATS_TEST_TMPDIR/dialogue"
	both_ways expect -f "$BATS_TEST_TMPDIR/dialogue"
	run -1 grep -- '^-- ' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "bash on a terminal: Ctrl-C, Ctrl-Z, fg, bg, disown, wait, SIGTTIN, stty tostop" {
	need_program expect bash
	dialogue <<'TCL'
source $env(TERMINAL)
spawn -noecho env TERM=dumb "PS1=@ " bash --norc --noprofile -i
until "@ "
send "stty noflsh\n"
until "@ "
send "stopped() { while \[ -z \"\$(jobs -s)\" ]; do :; done; jobs; }\n"
until "@ "
send "\$E sh -c 'echo begun; exec cat'\n"
until "\nbegun\r\n"
send "hello\n"
until "hello\r\nhello\r\n"
send "\x03"
until "@ "
send "echo \$?\n"
until "@ "
send "\$E sh -c 'echo begun; exec cat'\n"
until "\nbegun\r\n"
send "again\n"
until "again\r\nagain\r\n"
send "\x1a"
until "@ "
send "echo \$?; jobs\n"
until "@ "
send "bg; stopped\n"
until "@ "
send "fg\n"
until "cat'\r\n"
send "more\n"
until "more\r\nmore\r\n"
send "\x04"
until "@ "
send "\$E cat & stopped; kill %1; until \[ -z \"\$(jobs -s)\" ]; do :; done; wait %1; echo \$?\n"
until "@ "
send "\$E sleep 100 & disown; jobs; kill \$!; while kill -0 \$!; do :; done 2>/dev/null\n"
until "@ "
send "stty tostop; \$E echo written & stopped\n"
until "@ "
send "fg; stty -tostop; jobs\n"
until "@ "
send "\$E sh -c 'kill -STOP \$\$; echo went on'\n"
until "@ "
send "jobs; fg\n"
until "@ "
send "exit 5\n"
end
TCL
}

# bats test_tags=all
@test "zsh and dash on a terminal: Ctrl-C, Ctrl-Z, fg, bg, SIGTTIN, exec" {
	need_program expect zsh dash
	dialogue <<'TCL'
source $env(TERMINAL)
spawn -noecho env TERM=dumb "PS1=@ " zsh -f -i +o promptsp +Z
until "@ "
send "emulate sh; stty noflsh\n"
until "@ "
send "\$E sh -c 'echo begun; exec cat'\n"
until "\nbegun\r\n"
send "\x03"
until "@ "
send "echo \$?; \$E sh -c 'echo begun; exec cat'\n"
until "\nbegun\r\n"
send "\x1a"
until "@ "
send "jobs; fg\n"
until "fg\r\n"
until "cat'\r\n\$E sh -c 'echo begun; exec cat'\r\n"
send "line\n"
until "\nline\r\n"
send "\x04"
until "@ "
send "\$E cat &\n"
until "tty input)  \$E cat\r\n"
send "fg\n"
until "\$E cat\r\n"
send "\x04"
until "@ "
send "exec \$E dash -i\n"
until "@ "
send "sh -c 'echo begun; exec cat'\n"
until "\nbegun\r\n"
send "\x1a"
until "@ "
send "bg %1; fg %1\n"
until "cat\"\r\nsh -c \"echo begun; exec cat\"\r\n"
send "\x04"
until "@ "
send "exit 6\n"
end
TCL
}

# bats test_tags=all
@test "what is read from a terminal: read -s and -t and -n, getpass, Python's REPL with readline" {
	need_program expect bash dash /usr/bin/python3
	dialogue <<'TCL'
source $env(TERMINAL)
spawn -noecho env TERM=dumb "PS1=@ " bash --norc --noprofile -i
until "@ "
send "\$E bash -c 'read -r -s -p \"password: \" x; echo \"\[\$x]\"; read -r -t 0.05 y; echo \$?; read -r -n 3 -p \"three: \" z; echo \"\[\$z]\"'\n"
until "\npassword: "
send "secret\n"
until "three: "
send "abc"
until "@ "
send "\$E dash -c 'stty -echo; echo quiet; read -r x; stty echo; echo \"\[\$x]\"'\n"
until "\nquiet\r\n"
send "secret\n"
until "@ "
send "\$E env PYTHON_HISTORY= /usr/bin/python3 -q\n"
until "\n>>> "
send "1 + 1\n"
until "\n>>> "
send "import getpass, readline, sys\n"
until "\n>>> "
send "getpass.getpass('secret: ')\n"
until "\nsecret: "
send "hidden\n"
until "\n>>> "
send "input('line: ').upp\ter()\n"
until "\nline: "
send "typed\x01un\x05!\n"
until "\n>>> "
send "sys.stdi\t.readl\t"
until "ine"
send "() if print('begun') is None else 0\n"
until "\nbegun\r\n"
send "line\n"
until "\n>>> "
send "\x04"
until "@ "
send "exit\n"
end
TCL
}

# bats test_tags=all
@test "tmux: vim, less, nano, dialog, whiptail, gdb, top in a session" {
	need_program tmux vim less nano dialog whiptail gdb top
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
export HOME=$dir TERM=screen LESSHISTFILE=- INPUTRC=/dev/null XDG_CONFIG_HOME=$dir XDG_DATA_HOME=$dir XDG_CACHE_HOME=$dir
cd "$dir"
pane() { tmux -S "$dir/tmux" -f /dev/null "$@"; }

# until_shown TEXT: waits until it is on the screen.
until_shown() {
	until pane capture-pane -p >"$dir/seen" && grep -qF "$1" "$dir/seen"; do :; done
}

# shown TEXT: all that is on the screen; TEXT is what is drawn last.
shown() {
	until_shown "$1"
	sed '/^$/d; s/\(\[[0-9]*]\) [0-9]*$/\1 PID/' "$dir/seen"
	echo --
}


pane new-session -d -x 72 -y 16 "PS1='@\# ' bash --norc --noprofile"
servers+=("$(pane display-message -p '#{pid}')")
until_shown @1
pane send-keys "\$E vim -N -u NONE -i NONE -n --cmd 'set t_RV= t_u7= noek' text" Enter
until_shown New
pane send-keys ione Enter two Escape ':%s/two/three/' Enter
until_shown '~'
pane send-keys ':!echo from a shell' Enter
shown ENTER
pane send-keys Enter
until_shown '~'
pane send-keys C-z
until_shown @2
pane send-keys fg Enter
until_shown '~'
pane send-keys ':wq' Enter
until_shown @3
pane send-keys clear Enter
until_shown @4
pane send-keys "seq 100 | \$E less" Enter
until_shown :
pane send-keys G
shown END
pane send-keys '?^5' Enter
until_shown 59
pane send-keys C-z
until_shown @5
pane send-keys fg Enter
until_shown 59
pane send-keys q
until_shown @6
pane send-keys clear Enter
until_shown @7
pane send-keys "\$E nano -I text" Enter
until_shown three
pane send-keys typed C-x
until_shown 'Y Yes'
pane send-keys y
until_shown Browse
pane send-keys Enter
until_shown @8
pane send-keys "\$E dialog --yesno Well? 5 20; echo dialog: \$?" Enter
until_shown '< No'
pane send-keys Tab Enter
until_shown 'dialog: 1'
pane send-keys "\$E whiptail --inputbox Name? 8 30; echo whiptail: \$?" Enter
until_shown Cancel
pane send-keys text Enter
until_shown 'whiptail: 0'
pane send-keys "\$E gdb -nx -q" Enter
until_shown '(gdb)'
pane send-keys 'print 6 * 7' Enter
until_shown '= 42'
pane send-keys C-c
until_shown Quit
pane send-keys quit Enter
shown @11
pane send-keys "\$E top -d 100 -p \$\$" Enter
until_shown load
pane send-keys q
until_shown @12
pane send-keys 'exit 3' Enter
until ! pane has-session 2>/dev/null; do :; done
cat text
SESSION
	both_ways bash "$BATS_TEST_TMPDIR/session"
}

# bats test_tags=all
@test "screen: a session without a terminal, typed into and looked at" {
	need_program screen
	cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
. "$SESSION"
cd "$dir"
export HOME=$dir SCREENDIR=$dir/screens TERM=screen
mkdir -m 700 screens
pane() { screen -S pane -X "$@"; }

# What is on the screen, once TEXT is.
shown() {
	until pane hardcopy "$dir/seen" >/dev/null && grep -qs "$1" seen; do :; done
	sed '/^$/d' seen
}

# shellcheck disable=SC2086 # several words
$E screen -c /dev/null -dmS pane sh -c 'echo begun; read -r x; echo "got $x"; read -r y'
shown begun
pane stuff $'typed\n'
shown 'got typed'
pane stuff $'\n'
while screen -ls >/dev/null; do :; done
SESSION
	both_ways bash "$BATS_TEST_TMPDIR/session"
}
