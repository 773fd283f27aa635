# Exports: each format is read by a parser that knows nothing of eagain, and says what the program did.

load helper

CHECKS=$TOP/tests/export

setup() {
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
}

# formats: the names of the table.
formats() {
	sed -n 's/^FORMAT(\([a-z]*\),.*/\1/p' "$TOP/tracer/formats.def"
}

need_python() {
	[ -x /usr/bin/python3 ] || skip "python3 is not installed"
}

need_protobuf() {
	need_program protoc
	/usr/bin/python3 -c 'import google.protobuf' 2>/dev/null || skip "python3-protobuf is not installed"
	[ -e trace_pb2.py ] || protoc -I "$CHECKS" --python_out=. "$CHECKS/trace.proto"
}

# chrome: what the Chrome trace holds, when it has been found right.
chrome() {
	"$EAGAIN" export chrome >chrome.json
	/usr/bin/python3 "$CHECKS/chrome.py" chrome.json
}

perfetto() {
	"$EAGAIN" export perfetto >perfetto
	/usr/bin/python3 "$CHECKS/perfetto.py" . perfetto
}

# same_tracks: both formats are right, and hold the same: it is in "tracks".
same_tracks() {
	chrome >tracks
	perfetto | diff tracks -
}

# told EXPRESSION: what it makes of the tracks, d.
told() {
	/usr/bin/python3 -c 'import collections, json, sys; d = json.load(open("tracks")); print(eval(sys.argv[1]))' "$1"
}

@test "the formats of the table, in the help, the manual and the README" {
	run -2 "$EAGAIN" export
	[ "${#lines[@]}" = 1 ]
	run -2 "$EAGAIN" export nothing
	[ "${#lines[@]}" = 1 ]
	"$EAGAIN" export --help | sed -n '/^formats:$/,/^$/s/^  //p' >help
	[ "$(awk '{ print $1 }' help)" = "$(formats)" ]
	for format in $(formats); do
		[[ $output == *"$format"* ]]
		grep -q "^\\\\fB$format\\\\fR$" "$TOP/build/eagain.1" || { echo "not in the manual: $format"; false; }
	done
	sed 's/^/    /' help >block
	awk 'NR == FNR { help = help $0 "\n"; next } { readme = readme $0 "\n" } END { exit !index(readme, help) }' block "$TOP/README.md"
}

@test "csv and json say what the log says" {
	need_python
	"$EAGAIN" record sh -c '(sleep 0.01; echo one; echo two) | cat | sort; cat none; ls -l / >/dev/null; kill -9 $$' 2>/dev/null || [ $? = 137 ]
	"$EAGAIN" log >log
	for format in csv json; do
		"$EAGAIN" export $format >$format
	done
	/usr/bin/python3 "$CHECKS/lines.py" log csv json >names
	grep -q '"pipe:' names
	[ "$("$EAGAIN" export csv | head -n 1)" = "$(sed -n 's/^FIELD("\([a-z_]*\)".*/\1/p' "$TOP/tracer/fields.def" | paste -sd,)"$'\r' ]
}

# Names that a shell, a terminal, a page or a table would take for something else.
hostile=($'two\nlines' $'\e[31mred' $'\xff\xfe\xc3' 'semi;colon' '</script><b>' 'a "quote"' 'back\slash' 'com,ma' '=1+2' '{"a":[' $'\r\t\x7f' $'\xc2\x9b' 'ünï')

@test "hostile names of files, programs and threads: every format stays what it is" {
	need_python
	need_protobuf
	mkdir '<'
	for name in "${hostile[@]}"; do
		echo text >"$name"
		cp "$(type -P cat)" "$name.cat"
	done
	"$EAGAIN" record bash -c 'for name; do sleep 0.001 | "./$name.cat" "$name" - >/dev/null; done' bash "${hostile[@]}"
	"$EAGAIN" log >log
	for format in $(formats); do
		"$EAGAIN" export "$format" >"$format"
		# No control character but the line's end gets through to a terminal; Perfetto's is binary.
		[ "$format" = perfetto ] || ! tr -d '\r\n\t' <"$format" | LC_ALL=C grep -q '[[:cntrl:]]' || { echo "$format"; false; }
	done
	/usr/bin/python3 "$CHECKS/lines.py" log csv json >names
	for name in "${hostile[@]}"; do
		/usr/bin/python3 -c '
import json, os, re, sys
# What is no character, and what would be a control character beyond ASCII, has become a question mark.
name = re.sub("(\ufffd|[\x80-\x9f])+", lambda m: "?" * len(m[0]), os.fsencode(sys.argv[1]).decode("utf-8", "replace"))
names = [json.loads(line) for line in open("names")]
sys.exit(not any(n.endswith("/" + name) for n in names) and ascii(name))' "$name"
	done
	same_tracks
	for format in chrome.json json; do
		run -1 grep '</script' "$format"
	done
	# Of a folded stack, only the dividers are semicolons, and only its end is a number.
	run -1 grep -vE '^[^;]+;[^;]+;[^;]+(;[^;]+)? [0-9]+$' folded
	grep -q 'semi\\x3bcolon' folded
	grep -q 'back\\\\slash' folded
}

@test "chrome and perfetto: by the rules of the formats, and alike" {
	need_python
	need_protobuf
	while read -r program; do
		# shellcheck disable=SC2086 # several words
		"$EAGAIN" record bash -c "$program" >out
		same_tracks
		told '"%d slices, %d flows" % (d["slices"], d["flows"])'
		[ "$(told 'd["slices"] > 20 and len(d["processes"]) > 0')" = True ]
	done <<-'END'
		(sleep 0.01; echo one; sleep 0.01; echo two) | cat | sort
		yes | head -c 3000000 | tail -c 1000000 | wc -c
		dd if=/dev/zero bs=100 count=2000 2>/dev/null | dd bs=37 of=/dev/null 2>/dev/null
		{ dd if=/dev/zero bs=1000 count=300 2>/dev/null & dd if=/dev/zero bs=1500 count=300 2>/dev/null; wait; } | cat >/dev/null
		"$PROGRAMS/load" threads 20 100
		"$PROGRAMS/load" children 20 5
		"$PROGRAMS/load" forks 3 4 50
		"$PROGRAMS/load" connections 50
		"$PROGRAMS/traps" nested-handlers
	END
	[ "$(told '"fork" in d["instants"] and "exit" in d["instants"]')" = True ]
}

@test "which write supplied a read: of each, the bytes" {
	need_python
	need_protobuf
	"$EAGAIN" record perl -e 'pipe R, W; syswrite W, "x" x $_ for 10, 200, 3000; do { sysread R, $b, 70 } while length $b == 70'
	same_tracks
	[ "$(told 'sorted(collections.Counter(a[2] for a in d["arrows"]).items())')" = '[(10, 1), (200, 3), (3000, 43)]' ]
	[ "$(told '[v for k, v in d["counters"].items() if "bytes in pipe" in k][0][1]')" = 0 ]
	[ "$(told '[v[1] for k, v in d["counters"].items() if "bytes read" in k and v[1] >= 3210] != []')" = True ]
	# The same through TCP, a name for each end, to a reader that waits.
	"$EAGAIN" record perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die;
		if (!fork) {
			my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $s->sockport) or die;
			system "$ENV{PROGRAMS}/asleep", getppid;
			syswrite $c, "x" x 100;
			exit;
		}
		my $c = $s->accept;
		sysread $c, $b, 60;
		wait;
		sysread $c, $b, 60;'
	same_tracks
	[ "$(told '[a[2:4] for a in d["arrows"]]')" = "[[100, 'read'], [100, 'served']]" ]
}

@test "where it is not certain whose bytes a read got, nothing is drawn" {
	need_python
	need_protobuf
	# Bytes of somebody who is not recorded, before those of somebody who is.
	mkfifo fifo
	exec 9<>fifo
	printf 0123456789 >fifo
	"$EAGAIN" record perl -e 'open W, ">fifo"; syswrite W, "abc"; open R, "<fifo"; sysread R, $b, 13; syswrite W, "abc"; sysread R, $b, 3'
	exec 9>&-
	same_tracks
	[ "$(told 'd["flows"]')" = 0 ]
	# What the recording has lost: it kept the newest.
	"$EAGAIN" record --max-size=256K perl -e 'pipe R, W; for (1 .. 20000) { syswrite W, "abc"; sysread R, $b, 2 + $_ % 2 }'
	"$EAGAIN" report | grep -q 'oldest overwritten'
	same_tracks
	[ "$(told 'd["slices"] > 1000 and d["flows"]')" = 0 ]
	# What it was told to leave out, in the middle or of each kind.
	"$EAGAIN" record perl -e 'pipe R, W; syswrite W, "abc"; system "$ENV{EAGAIN} switch off"; sysread R, $b, 3;
		system "$ENV{EAGAIN} switch on"; syswrite W, "abc"; sysread R, $b, 3'
	same_tracks
	[ "$(told 'd["names"]["write"] >= 2 and d["flows"]')" = 0 ]
	"$EAGAIN" record perl -e 'pipe R, W; syswrite W, "abc"; sysread R, $b, 3'
	for filter in --path='pipe*' --call=read,write; do
		"$EAGAIN" export chrome "$filter" >chrome.json
		/usr/bin/python3 "$CHECKS/chrome.py" chrome.json >tracks
		told 'd["flows"]'
	done >flows
	[ "$(paste -sd' ' flows)" = '1 0' ]
}

@test "from readiness to its service" {
	need_python
	need_protobuf
	"$EAGAIN" record perl -e '
		pipe R, W;
		if (!fork) { system "$ENV{PROGRAMS}/asleep", getppid; syswrite W, "x"; exit }
		vec($v, fileno R, 1) = 1;
		select $v, undef, undef, undef;
		sysread R, $b, 10;
		wait'
	same_tracks
	[ "$(told '[a[3] for a in d["arrows"] if a[0] == "ready to read"]')" = "['read']" ]
	[[ "$(told '[a[1] for a in d["arrows"] if a[0] == "ready to read"]')" == "['fd "*' pipe:['*"]']" ]]
	# And what the kernel knew while nobody asked.
	"$EAGAIN" record --readiness perl -e 'pipe R, W; if (!fork) { syswrite W, "x"; exit } wait; select undef, undef, undef, 0.1; sysread R, $b, 10'
	"$EAGAIN" log | grep -q 'ev=edge' || skip "nothing was observed here"
	same_tracks
	[ "$(told '[a[3] for a in d["arrows"] if a[0] == "ready to read"]')" = "['read']" ]
}

@test "a killed program: what had not returned is open" {
	need_python
	need_protobuf
	mkfifo started
	"$EAGAIN" record perl -e '
		pipe R, W;
		open S, ">started";
		if (!fork) { syswrite S, "$$\n"; sysread R, $b, 1; exit }
		wait' &
	read -r child <started
	until "$EAGAIN" export csv | grep -q ",park,read,.*pipe:" && "$EAGAIN" export csv | grep -q ',enter,wait'; do :; done
	kill -KILL $! "$child"
	ends_with 137 $!
	same_tracks
	# Of the read: it and its phase, and its row.
	told 'd["names"], d["unfinished"]'
	[ "$(told 'd["unfinished"]')" = 4 ]
	"$EAGAIN" export json | /usr/bin/python3 -c 'import json, sys; print([e["ev"] for e in map(json.loads, sys.stdin) if e["op"]])' >out
	[ "$(cat out)" = "['enter', 'EWOULDBLOCK', 'park']" ]
}

@test "stalls and locks: within them what was called meanwhile" {
	need_python
	need_protobuf
	"$EAGAIN" record "$PROGRAMS/stalls" poll mutex >said || [ $? != 77 ] || skip "the machine does not allow it"
	same_tracks
	[ "$(told 'd["names"]["away"] >= 1 and d["names"]["pthread_mutex_lock"] >= 1')" = True ]
	holder=$(sed -n 's/^holder //p' said)
	grep -q '"name":"pthread_mutex_lock","args":{"addr":"0x[0-9a-f]*","held_by":'"$holder"'}' chrome.json
	"$EAGAIN" export folded | grep -q '^stalls .*;lock [1-9]'
}

@test "an operation that siglongjmp has left is over" {
	need_python
	need_protobuf
	"$EAGAIN" record "$PROGRAMS/traps" longjmp-many
	same_tracks
	# But for the sleep in which its child was killed.
	[ "$(told 'd["unfinished"] <= 1')" = True ]
	[ "$(grep -c '"returned":"never"' chrome.json)" -ge 200 ]
}

@test "folded: the sum is what the report says that was waited" {
	"$EAGAIN" record bash -c '(sleep 0.05; "$PROGRAMS/asleep"; echo one) | cat | perl -e "vec(\$v, 0, 1) = 1; select \$v, undef, undef, undef; print <>"'
	"$EAGAIN" export folded >folded
	grep -q '^cat;cat;read;fd 0 pipe:\[[0-9]*\] [1-9]' folded
	grep -q '^perl .*;perl;[p]\?select;fd 0 pipe:\[[0-9]*\] [1-9]' folded
	grep -q '^sleep 0.05;sleep;.*nanosleep [1-9]' folded
	"$EAGAIN" report --json | perl -MJSON::PP -e '
		my $sum = 0;
		for my $p (@{decode_json(do { local $/; <STDIN> })->{processes}}) {
			for my $t (@{$p->{threads}}) { /^(wait_.*|sleep)_ns$/ and $sum += $t->{$_} for keys %$t }
		}
		print "$sum\n"' >sum
	# Each line is rounded, and what rounds to nothing is left out.
	awk -v ns="$(cat sum)" '{ us += $NF } END { d = us - ns / 1000; print us, ns / 1000; exit !(d > -20 && d < 20) }' folded
}

@test "a trace that is 32 MiB long: exported in less memory than that" {
	need_python
	"$EAGAIN" record "$PROGRAMS/load" calls 500000 >out
	for format in csv json chrome perfetto; do
		/usr/bin/python3 -c '
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$EAGAIN" export $format >memory
		note "$format: $(cat memory) KiB"
		[ "$(cat memory)" -lt 16384 ]
	done
}

# on_terminal COMMAND: what a terminal shows of it.
on_terminal() {
	script -qec "$1" /dev/null </dev/null
}

@test "what is not text does not go to a terminal" {
	need_program script
	"$EAGAIN" record true
	status=0
	on_terminal "\"$EAGAIN\" export perfetto" >shown || status=$?
	[ "$status" = 2 ]
	[ "$(tr -d '\r' <shown)" = 'eagain: perfetto: is not for a terminal: name a file with -o' ]
	on_terminal "\"$EAGAIN\" export perfetto -o file"
	[ -s file ]
}

@test "progress: after a second, on a terminal that nobody else draws on, and gone at the end" {
	need_program script
	"$EAGAIN" record "$PROGRAMS/load" calls 100000 >out
	slow='(sleep 1.3; cat >/dev/null)'
	on_terminal "\"$EAGAIN\" export json | $slow" >shown
	grep -q $'eagain: [0-9]* % \r' shown
	[ "$(tail -c 17 shown)" = "$(printf '\r%15s\r' '')" ]
	on_terminal "\"$EAGAIN\" export json 2>none | $slow" >shown
	on_terminal "stty -icanon; \"$EAGAIN\" export json | $slow" >>shown
	run -1 grep % shown none
}
