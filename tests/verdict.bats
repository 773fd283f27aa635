# The verdict at the end of the report: who holds the others up, and what it does meanwhile.

load helper

setup() {
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
	PATH=$PROGRAMS:$PATH
}

# Sleeps are long beside what a machine that has much else to do adds to each step: where the verdict is about shares, nothing else can
# be said of it.

# judge CMD...: records it; its verdict goes to the file `verdict`.
judge() {
	judged=("$@")
	"$EAGAIN" record "$@" >/dev/null
	"$EAGAIN" report >report
	find_verdict
}

find_verdict() {
	sed -n '/^\(Bottleneck\|Balanced\|Where it waits\|Where the time went\|No single bottleneck\): /,$p' report >verdict
	cat verdict
}

# says REGEX...: each is in the verdict.  What a busy machine adds may be too much all the same: then what was judged is judged once
# more, up to three times.
says() {
	for _ in 1 2 3; do
		! has_all "$@" || return 0
		[ "${#judged[@]}" != 0 ] || return
		judge "${judged[@]}"
	done
	has_all "$@"
}

has_all() {
	local regex
	for regex; do
		grep -Eq -- "$regex" verdict || { echo "does not say: $regex"; return 1; }
	done
}

# holds_up NAME DID: others, or one other, waited for NAME, which did DID in that time.
holds_up() {
	says "^Bottleneck: $1 \(pid [0-9]+\): .* waited for it for [0-9]+ % of [0-9.]+ [mu]?s;$" "^  in that time it (.*, )?$2[ ,.]"
}

# What computes may be off the CPU most of the time, where others have that.
BUSY='(computed|spent [0-9.]+ [mu]?s off the CPU)'

# kill_parked PATTERN COUNT: waits until so many operations that match are parked, a moment more, and kills the first process.
kill_parked() {
	until [ "$(grep -sc "ev=park .*$1" live)" = "$2" ]; do kill -0 $pid; done
	# To be most of its time.
	sleep 0.3
	kill "$(sed -n '1s/.* pid=\([0-9]*\) .*/\1/p' live)"
	ends_with 143 $pid
	find_verdict
}

@test "a slow producer, middle or consumer, by computing or by sleeping" {
	for how in compute:3000:60 sleep:100000:6; do
		IFS=: read -r how us blocks <<<"$how"
		did=slept
		[ "$how" = sleep ] || did=$BUSY
		judge bash -c "stage source $how $us $blocks | stage filter compute 50 | stage sink compute 50"
		holds_up "stage source $how $us $blocks" "$did"
		judge bash -c "stage source compute 50 $blocks | stage filter $how $us | stage sink compute 50"
		holds_up "stage filter $how $us" "$did"
		judge bash -c "stage source compute 50 $blocks | stage filter compute 50 | stage sink $how $us"
		holds_up "stage sink $how $us" "$did"
	done
}

@test "stages that are equally slow are balanced" {
	judge bash -c 'stage source sleep 60000 40 | stage filter sleep 60000 | stage sink sleep 60000'
	says '^Balanced: stage [a-z]+ sleep 60000.* and stage [a-z]+ sleep 60000.* were each busy for at least [0-9]+ % of '
}

@test "thousands of waits, each a moment" {
	judge bash -c 'exec 3< <(exec stage server compute 100); read -r port <&3; stage client compute 5 3000 $port; true'
	holds_up 'stage server compute 100' "$BUSY"
	[ "$("$EAGAIN" log | grep -c ev=EWOULDBLOCK)" -ge 3000 ]
}

@test "a stage that waits for the disk" {
	judge bash -c 'stage source compute 1 60 | stage filter disk 0 | stage sink compute 1'
	"$EAGAIN" log | awk '/call=fsync/ { n++; sub(/.* dur=/, ""); sum += $1 } /^t=/ { sub(/^t=/, ""); end = $1 } END { exit !(n == 60 && sum > end / 2) }' ||
		skip "a disk that is as good as none"
	holds_up 'stage filter disk 0' 'waited [0-9.]+ [mu]?s for the disk'
}

@test "a slow server behind a fast proxy, and their slow client" {
	chain() {
		judge bash -c "exec 3< <(exec stage $1); read -r server <&3; exec 4< <(exec stage proxy \$server); read -r proxy <&4
			stage client $2 16 \$proxy; true"
	}
	chain 'server sleep 60000' 'compute 50'
	holds_up 'stage server sleep 60000' slept
	chain 'threaded sleep 60000' 'compute 50'
	holds_up 'stage threaded sleep 60000' slept
	chain 'server compute 50' 'sleep 60000'
	holds_up 'stage client sleep 60000 16.*' slept
}

@test "a shell is held to account for its children" {
	judge bash -c '(for i in 1 2 3 4; do echo $i; sleep 0.3; done) | cat | tail -n 1'
	says '^Bottleneck: bash -c \(for i in .* \(pid [0-9]+\): others waited for it for [0-9]+ % of ' \
		'^  in that time its children (.*, )?slept .*: sleep 0\.3 \(4 processes\)\.$'
	judge bash -c 'sleep 0.3; true'
	holds_up 'sleep 0.3' slept
	says ': bash -c sleep 0.3; true \(pid [0-9]+\) waited for it '
	judge bash -c 'sleep 0.6; sleep 0.63; sleep 0.57'
	# In which order, chance decides.
	says '^No single bottleneck: of [0-9.]+ s, sleep 0\.(57|6|63) .* had [0-9]+ %: slept ' '^  sleep 0\.(57|6|63) .*;$' \
		'^  sleep 0\.(57|6|63) .*\.$'
}

# together SCRIPT NAME: the processes of that name share the blame.
together() {
	judge bash -c "$1"
	says "^Bottleneck: $2 \([23] processes\): .* waited for them for " '^  in that time they (.*, )?slept '
}

@test "who shares a pipe shares the blame; who only holds it has none" {
	together 'for i in 1 2 3; do stage source sleep 80000 40 & done | stage sink compute 50' 'stage source sleep 80000 40'
	together 'stage source compute 50 80 | (stage sink sleep 80000 & stage sink sleep 80000 & wait)' 'stage sink sleep 80000'
	judge bash -c '(stage source sleep 60000 10; exec 1>&-; true) | (sleep 1000 & stage sink compute 50; kill $!)'
	holds_up 'stage source sleep 60000 10' slept
	judge bash -c '(/bin/echo one; exec sleep 1) | cat'
	holds_up 'sleep 1' slept
}

@test "a lock between two threads: who held it, and that another waited" {
	judge stage lock compute 3000 60
	says "^Where the time went: of [0-9.]+ [mu]?s, stage lock compute 3000 60 \(pid [0-9]+\) (.*, )?$BUSY" \
		'^  meanwhile one of its threads waited for a lock that another held, for [0-9]+ % of the time\.$'
	judge bash -c 'stage lock sleep 20000 20 | cat'
	holds_up 'stage lock sleep 20000 20' slept
	says '^  meanwhile one of its threads waited for a lock '
}

@test "a thread that computes and makes no call is there: it was joined" {
	judge stage mute compute 300000
	says "^Where the time went: of [0-9.]+ m?s, stage mute compute 300000 \(pid [0-9]+\) (.*, )?$BUSY"
	run -1 grep waited verdict
	grep -Eq '^  2 threads, together: waited [0-9.]+ m?s for locks, computed [0-9.]+ m?s$' report
	"$EAGAIN" timeline | grep -Eq '^  tid [0-9]+ +#+'
}

# threads_of ROLE EXPRESSION: four threads compute on one CPU; what python says of them is true.  compute: how much of the run the
# verdict says that the process computed.
threads_of() {
	"$EAGAIN" record taskset -c "$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')" stage "$1" compute 150000 4
	"$EAGAIN" report --json | python3 -c '
import json, sys
report = json.load(sys.stdin)
process = [p for p in report["processes"] if p["command"].startswith("stage")][0]
did = [p for p in report["verdict"]["critical_path"] if p["command"].startswith("stage")][0]["did"]
threads, cpu, compute = process["threads"], process["cpu_ns"], did["compute_ns"]
print(cpu, threads, did)
assert cpu > 600e6
assert eval(sys.argv[1])' "$2"
}

@test "threads that take turns on a CPU: while one has it, their process computes" {
	need_program taskset python3
	threads_of team 'compute > 0.8 * cpu'
}

@test "a thread was there before its first call, if it has used a CPU for so long" {
	need_program taskset python3
	threads_of late 'all(t["cpu_in_waits_ns"] < 10e6 and t["wall_ns"] >= t["cpu_ns"] for t in threads) and did["lock_ns"] < 100e6'
}

@test "a program alone: it computes, sleeps, or waits for somebody whom the trace does not show" {
	judge stage source compute 3000 60
	says "^Where the time went: of [0-9.]+ m?s, stage source compute 3000 60 \(pid [0-9]+\) (.*, )?$BUSY"
	judge stage source sleep 3000 60
	says '^Where the time went: .* \(pid [0-9]+\) slept '
	mkfifo fifo
	(sleep 0.2; echo) >fifo &
	judge cat fifo
	# Nobody writes a second time.
	judged=()
	says "^Where it waits: .*, cat fifo \(pid [0-9]+\) waited .* to read from $PWD/fifo, whose other end the trace does not show\.$"
}

@test "an idle server waits for clients" {
	"$EAGAIN" -o report --log=live stage server compute 1 >port &
	pid=$!
	kill_parked call=accept 1
	says '^Where it waits: .*, stage server compute 1 \(pid [0-9]+\) waited .* for clients'
}

@test "two that wait for each other" {
	mkfifo a b
	"$EAGAIN" -o report --log=live bash -c 'bash -c "exec 4>a 3<b; read -r _ <&3" & exec 3<a 4>b; read -r _ <&3' &
	pid=$!
	kill_parked 'call=read .*/[ab] ' 2
	says '^Where it waits: .* waited .* for others that waited for it'
}

@test "the other end of a unix socket, by its name and of a pair" {
	command -v perl >/dev/null || skip "perl is not installed"
	# shellcheck disable=SC2016
	"$EAGAIN" -o report perl -MIO::Socket::UNIX -MSocket -e '
		socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC;
		$l = IO::Socket::UNIX->new(Local => "s", Listen => 1);
		if (!fork) {
			$c = IO::Socket::UNIX->new(Peer => "s");
			for (1 .. 2) { sysread $c, $x, 1; sysread $b, $x, 1 }
			exit;
		}
		$c = $l->accept;
		for (1 .. 2) { select undef, undef, undef, 0.1; syswrite $c, "x"; syswrite $a, "x" }
		wait'
	grep -Eq ' fd [0-9]+, unix:s <- perl.* \(pid ' report
	grep -Eq ' fd [0-9]+, unix:s -> perl.* \(pid ' report
	grep -Eq ' fd [0-9]+, socket:\[[0-9]+\] -> perl.* \(pid ' report
}

@test "report --critical-path: from the beginning to the end, and what each had of it" {
	"$EAGAIN" record bash -c 'sleep 0.5; stage source sleep 50000 12 | stage sink compute 10'
	"$EAGAIN" report --critical-path >path
	cat path
	[ "$(sed -n 's/^ *[0-9.]* [mu]*s  *[0-9.]* s  \([a-z0-9. ]*\) (pid .*) slept.*/\1/p' path | paste -sd,)" = 'sleep 0.5,stage source sleep 50000 12' ]
	grep -Eq '^ +[0-9.]+ % +[0-9.]+ s  stage source sleep 50000 12 \(pid [0-9]+\) slept ' path
	tail -n 2 path | head -n 1 | grep -q '^Bottleneck: \|^No single bottleneck: '
	run -2 "$EAGAIN" log --critical-path
}

@test "report --json: the verdict, whose numbers add up" {
	command -v python3 >/dev/null || skip "python3 is not installed"
	"$EAGAIN" record bash -c 'stage source compute 10 12 | stage filter sleep 50000 | stage sink compute 10'
	"$EAGAIN" report --json >report.json
	python3 - <<-'PYTHON'
		import json
		v = json.load(open("report.json"))["verdict"]
		assert v["kind"] == "bottleneck" and [p["command"] for p in v["processes"]] == ["stage filter sleep 50000"], v
		assert max(v["did"], key=v["did"].get) == "sleep_ns"
		assert 0 < v["waited_for_ns"] <= v["total_ns"]
		assert abs(sum(v["did"].values()) + sum(v["children_did"].values()) - v["waited_for_ns"]) < v["total_ns"] / 1000
		assert abs(sum(p["path_ns"] for p in v["critical_path"]) - v["total_ns"]) < v["total_ns"] / 1000
		for p in v["critical_path"]:
		    assert abs(sum(p["did"].values()) - p["path_ns"]) < v["total_ns"] / 1000
		assert v["critical_path"][0]["command"] == "stage filter sleep 50000"
	PYTHON
	"$EAGAIN" record true
	"$EAGAIN" report --json | python3 -c 'import json, sys; assert json.load(sys.stdin)["verdict"]["kind"] == "alone"'
}

@test "a damaged trace has a verdict, or an error" {
	command -v perl >/dev/null || skip "perl is not installed"
	"$EAGAIN" record bash -c 'stage source compute 10 20 | (stage sink sleep 100 & stage sink sleep 100 & wait); stage lock compute 10 10'
	RANDOM=6
	for _ in {1..40}; do
		damage eagain.trace damaged
		for view in '' --json --critical-path; do
			# shellcheck disable=SC2086 # none, or one
			timeout 20 "$EAGAIN" report $view damaged >out 2>err || { [ $? = 1 ] && [ "$(wc -l <err)" = 1 ]; }
		done
	done
}

@test "real programs: gzip -9, tar, and curl for an HTTP server" {
	need_program gzip tar
	head -c 3000000 /dev/urandom | base64 >data
	judge bash -c 'gzip -9 <data | wc -c'
	holds_up 'gzip -9' "$BUSY"
	judge bash -c 'tar c data data data | gzip -9 | wc -c'
	holds_up 'gzip -9' "$BUSY"
	need_program python3 curl
	python=$(python3 -c 'import sys; print(sys.executable)')
	cat >server.py <<-'PYTHON'
		import http.server, time

		class Handler(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        time.sleep(0.2)
		        self.send_response(200)
		        self.end_headers()
		    def log_message(self, *_):
		        pass

		server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
		print(server.server_address[1], flush=True)
		for _ in range(4):
		    server.handle_request()
	PYTHON
	judge bash -c "exec 3< <(exec $python server.py); read -r port <&3; for _ in 1 2 3 4; do curl -s http://127.0.0.1:\$port/; done"
	holds_up 'python3[0-9.]* server.py' slept
}
