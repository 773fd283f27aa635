# The timeline on the whole terminal: keys, what they show, and the terminal afterwards.

load helper
load screen

setup() {
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
}

teardown() {
	close_screen
}

# A pipeline whose waits are known: cat and tail wait for the sleeps.
record_pipeline() {
	"$EAGAIN" record bash -c '(sleep 0.3; echo one; sleep 0.3; echo two) | cat | tail -n 1' >/dev/null
}

@test "lanes, and what is under the cursor" {
	record_pipeline
	open_screen
	type_in '"$EAGAIN" timeline -i'
	shows 'q quit'
	grep -Eq '^eagain timeline  0\.[0-9]* s, [0-9.]+ ms a character' seen
	grep -Eq '^cat \(pid [0-9]+\) .*rrrr' seen
	grep -Eq '^tail -n 1 \(pid [0-9]+\) .*rrrr' seen
	grep -Eq '^0: .*; bash -c' seen
	press -l '/cat (pid'
	press Enter
	shows '; cat (pid'
	# In the middle of its first half it waits.
	for _ in 1 2 3 4 5 6 7 8; do press Right; done
	shows '^[1-9][0-9]* ms: waits to read; cat (pid'
	press G
	shows '; sleep 0.3 (pid'
	press g
	shows '; bash -c'
	[ "$(wc -l <seen)" -le 24 ]
	narrow 80
}

@test "zoom, pan, and back to all of it" {
	record_pipeline
	open_screen
	type_in '"$EAGAIN" timeline -i'
	shows 'q quit'
	press + + +
	shows '^eagain timeline  0 to .* of 0'
	press '>'
	shows '^eagain timeline  [1-9].* of 0'
	press End
	until [ "$(shown | sed 1q)" != "$(sed 1q seen)" ]; do :; done
	press Home
	shows '^eagain timeline  0 to'
	press 0
	shows '^eagain timeline  0[0-9.]* s, '
	# To where the sleeps of its lane end: sleep 0.3 (pid) is the last lane, its wait ends at the right.
	press G
	shows '; sleep 0.3'
	press w
	shows '^[1-9][0-9]* ms: .*; sleep 0.3'
	press w
	shows 'no wait of this lane ends later'
	press + + + + + + + + + + + + + + + + + + + + + + + + + + + + + + + + +
	shows ' ns a character'
	press - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
	shows '^eagain timeline  0[0-9.]* s, '
}

@test "what was going on under the cursor: a list, and the operation drawn" {
	record_pipeline
	op=$("$EAGAIN" log | sed -n '/ev=EWOULDBLOCK call=read /s/.* op=\([0-9]*\) .*/\1/p' | sort -n | head -n 1)
	pid=$("$EAGAIN" log | sed -n "/ev=EWOULDBLOCK .* op=$op \|op=$op ev=EWOULDBLOCK/s/.* pid=\([0-9]*\) .*/\1/p")
	open_screen
	type_in '"$EAGAIN" timeline -i'
	shows 'q quit'
	press -l "/pid $pid"
	press Enter
	shows "; .*(pid $pid)"
	for _ in 1 2 3 4 5 6 7 8; do press Right; done
	shows "waits to read; .*(pid $pid)"
	press Enter
	shows "^1 call at .*(pid $pid)" "^ *$op read  *0 pipe:.* 4\$"
	press o
	shows "^op $op: read() on fd 0, pipe:" '^User space'
	press q
	shows "^1 call at "
	press q
	shows 'enter list'
	press o
	shows "^op $op: read() on fd 0, pipe:"
	press Escape
	shows 'enter list'
	press Home g
	shows '^0: '
}

@test "threads and fds; search; help" {
	record_pipeline
	open_screen
	type_in '"$EAGAIN" timeline -i'
	shows 'tab fds'
	press Tab
	shows 'tab threads' '^cat (pid' '^  fd 0 pipe:\[' '^tail -n 1 (pid'
	press Tab
	shows 'tab fds'
	press -l '/TAIL'
	shows '^/TAIL_'
	press BSpace BSpace BSpace BSpace Escape
	shows 'q quit'
	press -l '/CAT (pid'
	press Enter
	shows '; cat (pid'
	press -l '/sleep 0.3 (pid'
	press Enter
	shows '; sleep 0.3 (pid'
	sed -n 's/.*; sleep 0.3 (pid \([0-9]*\).*/\1/p' seen >first
	press n
	shows '; sleep 0.3 (pid'
	until shown | sed -n 's/.*; sleep 0.3 (pid \([0-9]*\).*/\1/p' | grep -qvx "$(cat first)"; do :; done
	press -l /nobody
	press Enter
	shows 'no lane is called like that: nobody'
	press '?'
	shows 'a capital: such a wait ended here' 'q back'
	press q
	shows 'q quit'
}

@test "the terminal is given back: q, Ctrl-C, SIGTERM, Ctrl-Z and fg" {
	record_pipeline
	open_screen
	gives_back 'q quit' '"$EAGAIN" timeline -i' q
	gives_back 'q quit' '"$EAGAIN" timeline -i' C-c
	gives_back 'q quit' '"$EAGAIN" timeline -i' TERM
	gives_back 'q quit' '"$EAGAIN" timeline -i' C-z
	type_in clear
	type_in fg
	shows '^eagain timeline' 'q quit'
	press C-z
	shows Stopped
	is_clean
	gives_back 'q quit' fg q
	# From within a list, too.
	type_in '"$EAGAIN" timeline -i'
	shows 'q quit'
	press w Enter
	shows 'q back'
	press C-z
	shows Stopped
	is_clean
	gives_back 'q back' fg C-c
}

@test "another size of the terminal, and a very small one" {
	record_pipeline
	open_screen
	type_in '"$EAGAIN" timeline -i'
	shows 'q quit'
	screen resize-window -x 120 -y 12
	shows '^ *|-.\{70,\}$' 'q quit'
	[ "$(wc -l <seen)" -le 12 ]
	screen resize-window -x 40 -y 8
	shows '^ arrows' '; bash\|^0: '
	narrow 40
	screen resize-window -x 10 -y 3
	shows '^ arrows'
	screen resize-window -x 80 -y 24
	shows 'q quit' 'r*R'
	press q
	shows '^@$'
	is_clean
}

@test "no more columns than there are, and what is not on the terminal has no escapes" {
	record_pipeline
	need_program script
	for width in 60 80 200; do
		# What a terminal is sent, with escapes left out that take no column; q is typed ahead.
		echo 'q' | script -qec "stty cols $width rows 24; TERM=xterm \"\$EAGAIN\" timeline -i" /dev/null >sent
		grep -q arrows, sent
		sed 's/\x1b\[[0-9;?]*[a-zA-Z]//g; s/\r//g' sent >plain
		narrow $width plain
	done
}

@test "no terminal: one line, and a status" {
	record_pipeline
	run --separate-stderr -1 "$EAGAIN" timeline -i </dev/null
	# shellcheck disable=SC2154 # stderr, stderr_lines: set by run
	[ "$stderr" = 'eagain: -i: stdout is no terminal' ] && [ -z "$output" ]
	run --separate-stderr -2 "$EAGAIN" timeline -i -o file
	[ "$stderr" = 'eagain: -i: not together with -o' ] && [ ! -e file ]
	run --separate-stderr -2 "$EAGAIN" timeline -i --op=1
	[ "$stderr" = 'eagain: -i: not together with --op' ]
	need_program script
	script -qec '"$EAGAIN" timeline -i </dev/null' /dev/null </dev/null | grep -q '^eagain: -i: stdin is no terminal'
	script -qec 'TERM=dumb "$EAGAIN" timeline -i' /dev/null </dev/null | grep -q '^eagain: -i: TERM says'
}

@test "names that would do something to a terminal do not" {
	name=$'a\e[31mb\x9b2J.'
	mkfifo "$name"
	exec 5<>"$name"
	"$EAGAIN" record cat "$name" $'\e]0;x\a' 5>&- &
	pid=$!
	until "$EAGAIN" log 2>/dev/null | grep -q 'ev=park '; do kill -0 "$pid"; done
	kill -9 $pid
	ends_with 137 $pid
	open_screen
	type_in '"$EAGAIN" timeline -i --by=fd'
	shows '; cat a .31mb?2J.  .0;x  *(pid'
	press End Enter
	shows ' calls\? at '
	press q
	screen resize-window -x 160
	shows 'q quit' 'fd [0-9]* .*a?.31mb'
}
