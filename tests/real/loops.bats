# Event loops: what people are told to rewrite their programs around.  Each serves lines and HTTP, unchanged, and what it was told
# by the kernel is in the trace.

load helper

LOOPS=$TOP/tests/real/loops

# serves SERVER [ARGUMENT...]: lines and HTTP, natively and in each mode.
serves() {
	same bash "$LOOPS/session.bash" "$@"
	grep -qx 'server: 0' "$BATS_TEST_TMPDIR/native/stdout"
	[ ! -s "$BATS_TEST_TMPDIR/native/stderr" ]
	finds 'lines, floods, HTTP: served'
}

# tells PATTERN...: each is in the log of what was recorded, in both modes.
tells() {
	local mode pattern
	for mode in record.auto record.flag; do
		"$EAGAIN" log "$BATS_TEST_TMPDIR/trace.$mode" >"$BATS_TEST_TMPDIR/log"
		for pattern; do
			grep -q -- "$pattern" "$BATS_TEST_TMPDIR/log" || { echo "$mode: not in the log: $pattern"; return 1; }
		done
	done
}

asked() {
	echo "ev=EWOULDBLOCK call=$1 fd=[0-9]* name=\"tcp 127.0.0.1:.*ret=-1 errno=EAGAIN .*asked=program"
}

ready() {
	echo "ev=ready call=$1 fd=[0-9]* name=\"tcp 127.0.0.1:"
}

# compiled NAME LIBRARY: a server in C.
compiled() {
	gcc -std=gnu11 -D_GNU_SOURCE -O2 -o "$BATS_TEST_TMPDIR/$1" "$LOOPS/$1.c" "$2"
}

@test "asyncore with select and poll" {
	need_package python3.11
	export PYTHONWARNINGS=ignore
	for way in select poll; do
		serves /usr/bin/python3.11 "$LOOPS/asyncore_server.py" $way
		tells "$(asked send)" "$(ready $way)"
	done
}

# bats test_tags=all
@test "Twisted with select, poll and epoll" {
	need_package python3-twisted
	for way in select poll epoll; do
		serves /usr/bin/python3 "$LOOPS/twisted_server.py" $way
		tells "$(asked accept4)" "$(ready "$way\(_wait\)\?")"
	done
}

@test "Tornado" {
	need_package python3-tornado
	serves /usr/bin/python3 "$LOOPS/tornado_server.py"
	tells "$(asked recv)" "$(asked send)" "$(asked accept4)" "$(ready epoll_wait)"
}

@test "gevent" {
	need_package python3-gevent
	serves /usr/bin/python3 "$LOOPS/gevent_server.py"
	tells "$(asked recv)" "$(asked send)" "$(asked accept4)" "$(ready epoll_wait)"
}

@test "libev with select, poll and epoll" {
	need_package libev-dev gcc
	compiled libev -lev
	for way in '1 select' '2 poll' '4 epoll_wait'; do
		export LIBEV_FLAGS=${way% *}
		serves "$BATS_TEST_TMPDIR/libev"
		tells "$(asked read)" "$(asked send)" "$(asked accept4)" "$(ready "${way#* }")"
	done
}

@test "libevent with select, poll and epoll" {
	need_package libevent-dev gcc
	compiled libevent -levent
	for way in epoll_wait poll select; do
		serves "$BATS_TEST_TMPDIR/libevent"
		tells "$(asked accept4)" "$(ready $way)"
		if [ $way = epoll_wait ]; then export EVENT_NOEPOLL=1; else export EVENT_NOPOLL=1; fi
	done
}
