# What is asked for of all that happens, while it is recorded and while it is shown; and a recording that is switched off and on.

load helper

setup() {
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here" || return
}

# complains STATUS PATTERN CMD...: one line on stderr, "eagain: what: why", nothing on stdout.
complains() {
	local status=$1 pattern=$2
	shift 2
	run --separate-stderr -"$status" "$@" </dev/null
	# shellcheck disable=SC2154 # stderr, stderr_lines: set by run
	[ "${#stderr_lines[@]}" = 1 ] && [ -z "$output" ] && [[ $stderr == "eagain: "$pattern ]] || { echo "$stderr"; false; }
}

# passing LOG [call=REGEX] [no_call=REGEX] [fd=REGEX] [name=REGEX] [no_name=REGEX] [least=SECONDS] [pid=REGEX]: the lines of a whole
# log that a filter must leave, by nothing but what they say.
passing() {
	local log=$1
	shift
	awk "${@/#/-v}" '
		function get(key,    v) {
			if (!match($0, " " key "=(\"[^\"]*\"|[^ ]*)"))
				return ""
			v = substr($0, RSTART + length(key) + 2, RLENGTH - length(key) - 2)
			gsub(/^"|"$/, "", v)
			return v
		}
		function is(value, regex) { return value ~ "^(" regex ")$" }
		function of_call() { return (call == "" || is(get("call"), call)) && (no_call == "" || !is(get("call"), no_call)) }
		function of_name(n) { return (name == "" || (n != "-" && is(n, name))) && (no_name == "" || !is(n, no_name)) }
		function on_fd() {
			if (get("fd") == "-")
				return fd == "" && name == ""
			return (fd == "" || is(get("fd"), fd)) && of_name(get("name"))
		}
		function is_long(dur) { return least == "" || dur >= least + 0 }
		NR == FNR {
			if (get("ev") == "return")
				dur[get("op")] = get("dur") + 0
			next
		}
		{
			ev = get("ev"); op = get("op"); thread = get("pid") " " get("tid"); line[FNR] = $0
			if (pid != "" && !is(get("pid"), pid))
				next
			if (ev ~ /^(fork|exec|exit|reap|on|off)$/)
				keep[FNR] = 1
			else if (ev ~ /^(fd|close|dup)$/)
				keep[FNR] = call == "" && least == "" && of_name(get("name")) &&
					    (fd == "" || is(get("fd"), fd) || (ev == "dup" && is(get("ret"), fd)))
			else if (ev == "keep")
				keep[FNR] = of_call() && fd == "" && name == "" && least == ""
			else if (op != "-")
				keep[FNR] = of_call() && on_fd() && (!(op in dur) || is_long(dur[op]))
			else if (ev == "ready") {
				if (of_call() && on_fd() && polled_long[thread])
					keep[FNR] = keep[poll[thread]] = 1
			} else {
				keep[FNR] = of_call() && on_fd() && is_long(get("dur") + 0)
				if (get("call") ~ /poll|select|epoll_p?wait2?/) {
					poll[thread] = FNR
					polled_long[thread] = of_call() && is_long(get("dur") + 0)
				}
			}
		}
		END { for (i = 1; i <= FNR; i++) if (keep[i]) print line[i] }' "$log" "$log"
}

# What may be asked for, and the same for passing().
asked() {
	cat <<-'END'
		--call=read; call=read
		--call=read,write,open; call=read|write|open
		--call=*poll*,select; call=.*poll.*|select
		--call=p????64; call=pread64|pwrite64
		--exclude=read,write; no_call=read|write
		--exclude=*; no_call=.*
		--call=*poll* --exclude=epoll*; call=.*poll.* no_call=epoll.*
		--fd=11; fd=11
		--fd=10,12-15; fd=10|1[2-5]
		--fd=99; fd=99
		--fd=0-4294967295; fd=[0-9]+
		--fd=131,140-149; fd=131|14[0-9]
		--path=pipe:*; name=pipe:.*
		--path=*/a?file,/dev/null; name=.*/a.file|/dev/null
		--path=*; name=.*
		--path=*[*]; name=.*[[].*[]]
		--path=none; name=none
		--exclude-path=pipe:[*; no_name=pipe:.*
		--exclude-path=*; no_name=[^-].*
		--path=socket:* --exclude-path=*7; name=socket:.* no_name=.*7
		--fd=10-12 --path=pipe:* --call=read; fd=1[0-2] name=pipe:.* call=read
		--longer-than=50ms; least=0.05
		--longer-than=0.05 --fd=11; least=0.05 fd=11
		--longer-than=50000us --call=nanosleep; least=0.05 call=nanosleep
		--longer-than=5s; least=5
		--longer-than=1ns --call=*poll*,select --fd=15; least=0.000000001 call=.*poll.*|select fd=15
		--longer-than=0; x=x
	END
}

@test "shown: what is left of a log is what its lines say, whatever is asked for" {
	"$EAGAIN" record -o story "$PROGRAMS/filter" story
	"$EAGAIN" record -o many "$PROGRAMS/filter" many
	for trace in story many; do
		"$EAGAIN" log $trace >whole
		while IFS=';' read -r options same; do
			read -ra given <<<"$options"
			read -ra expected <<<"$same"
			"$EAGAIN" log "${given[@]}" $trace >log
			passing whole "${expected[@]}" | diff - log || { echo "$trace ${given[*]}"; false; }
			"$EAGAIN" export "${given[@]}" csv $trace | tail -n +2 | wc -l | grep -qx "$(wc -l <log)"
		done < <(asked)
	done
}

# alike LOG: what does not differ from run to run: without times and numbers, the first process before the others; and without what is
# recorded only to be known (ev=fd), or not known where only some fds are (what was duplicated).
alike() {
	awk '
		{ sub(/^t=[^ ]* /, ""); sub(/tid=[^ ]* /, ""); sub(/op=[0-9]+/, "op=N"); sub(/ dur=[^ ]*/, ""); gsub(/\[[0-9]+\]/, "[N]") }
		NR == 1 { first = $1 }
		/ ev=fd / { next }
		/ ev=dup / { sub(/name=("[^"]*"|[^ ]*)/, "name=") }
		/ ev=(fork|reap) / { sub(/ret=[0-9]+/, "ret=N") }
		/ call=waitpid / { sub(/ret=[0-9]+/, "ret=N") }
		{ role = $1 != first; sub(/^pid=[^ ]* /, ""); all[role] = all[role] $0 "\n" }
		END { printf "%s-- others\n%s", all[0], all[1] }' "$1"
}

@test "recorded: what is left of a trace is the same, whatever is asked for" {
	# Whether a busy machine keeps it from its polls is chance.
	export EAGAIN_STALL=60000
	"$EAGAIN" record -o story.whole "$PROGRAMS/filter" story
	"$EAGAIN" record -o many.whole "$PROGRAMS/filter" many
	for program in story many; do
		"$EAGAIN" log $program.whole >whole
		while IFS=';' read -r options same; do
			read -ra given <<<"$options"
			read -ra expected <<<"$same"
			"$EAGAIN" record "${given[@]}" -o t "$PROGRAMS/filter" $program
			"$EAGAIN" log t >log
			passing whole "${expected[@]}" >passing
			diff <(alike passing) <(alike log) || { echo "$program ${given[*]}"; false; }
			"$EAGAIN" report t | sed -n 's/^recorded with //p' | tr ' ' '\n' | sort | diff - <(printf '%s\n' "${given[@]}" | sort)
		done < <(asked | grep -v 'longer-than\|\*7')
	done
}

@test "recorded with --longer-than: no call that was shorter, but all of what would block" {
	"$EAGAIN" record --longer-than=50ms "$PROGRAMS/filter" story
	"$EAGAIN" log >log
	awk -F' dur=' '/ ev=call / && $2 + 0 < 0.05 { print; bad = 1 } END { exit bad }' log
	[ "$(grep -c ' ev=call call=nanosleep ' log)" = 2 ]
	grep ' op=1 ' log | sed 's/.* ev=\([^ ]*\) call=read .*/\1/' | paste -sd' ' | grep -qx 'enter EWOULDBLOCK park ready return'
	run -1 grep ' ev=ready call=\(poll\|select\|epoll_wait\)\| ev=\(close\|dup\) ' log
	"$EAGAIN" record --longer-than=50ms "$PROGRAMS/filter" many
	[ "$("$EAGAIN" log | grep -vc ' ev=\(fd\|exit\) ')" = 0 ] || "$EAGAIN" log | awk -F' dur=' '/ ev=call / && $2 + 0 < 0.05 { bad = 1 } END { exit bad }'
}

@test "an operation passes as a whole: with another fd of that number meanwhile, and without an end" {
	"$EAGAIN" record -o closed "$PROGRAMS/filter" closed
	for option in "--path=pipe:*" --fd=11 --call=read --longer-than=1ns; do
		"$EAGAIN" log "$option" closed | sed -n 's/.* op=1 ev=\([^ ]*\) .*/\1/p' | paste -sd' ' | grep -qx 'enter EWOULDBLOCK park ready return'
		"$EAGAIN" record "$option" "$PROGRAMS/filter" closed
		"$EAGAIN" log | sed -n 's/.* op=1 ev=\([^ ]*\) .*/\1/p' | paste -sd' ' | grep -qx 'enter EWOULDBLOCK park ready return'
	done
	run -1 grep ' op=1 ' <("$EAGAIN" log --path=/dev/null closed)
	mkfifo fifo
	exec 5<>fifo
	"$EAGAIN" record --log=live cat <&5 5>&- &
	until grep -sq ' ev=park call=read ' live; do kill -0 $!; done
	kill -KILL $!
	ends_with 137 $!
	[ "$("$EAGAIN" log --longer-than=1000s | sed -n 's/.* op=1 ev=\([^ ]*\) .*/\1/p' | paste -sd' ')" = 'enter EWOULDBLOCK park' ]
	"$EAGAIN" report --longer-than=1000s | grep -q 'still waiting at the end'
}

@test "--program and --pid: whole processes, and nothing of others" {
	pipeline='(/bin/echo one; /bin/echo two) | cat | tail -n 1'
	"$EAGAIN" record -o whole bash -c "$pipeline"
	"$EAGAIN" log whole >log
	for name in cat 'c?t' 'cat,tail' 't*' none; do
		"$EAGAIN" record --program="$name" -o t bash -c "$pipeline" >out
		[ "$(cat out)" = two ]
		for trace in t whole; do
			"$EAGAIN" report --json --program="$name" $trace | grep '^{"pid"' | grep -o '^{"pid":[0-9]*,"ppid":[0-9]*,"command":"[^" ]*' | sed 's/.*"//' | sort >commands
			case $name in
			cat | c?t) echo cat ;;
			cat,tail) printf 'cat\ntail\n' ;;
			't*') echo tail ;;
			esac | diff - commands
		done
		run -1 grep 'could not be recorded' <("$EAGAIN" report t; "$EAGAIN" report --program="$name" whole)
	done
	"$EAGAIN" report t | grep -qx 'No process recorded anything.'
	"$EAGAIN" report --program=nobody whole | grep -qx "Nothing of that is in the trace."
	"$EAGAIN" report t | grep -qx 'recorded with --program=none'
	pid=$(sed -n 's/.* pid=\([0-9]*\) .* call=read fd=0 .*/\1/p' log | head -n 1)
	"$EAGAIN" log --pid="$pid" whole | diff <(grep " pid=$pid " log) -
	"$EAGAIN" log --pid="$pid,1-2" --call=read whole | diff <(passing log call=read "pid=$pid") -
	[ -z "$("$EAGAIN" log --pid=1 whole)" ]
	"$EAGAIN" timeline --program=tail whole >timeline
	grep -q '^tail -n 1 (pid' timeline
	run -1 grep '^\(cat\|bash\)' timeline
	# What is no child of a recorded process is looked at nevertheless, as is what is started in its place.
	"$EAGAIN" record --program=true sh -c 'env env true; exec env true'
	[ "$("$EAGAIN" log | grep -c ' ev=exit ')" = 2 ]
}

@test "names: of connections, as long as they are called so; [ stands for itself" {
	"$EAGAIN" record "$PROGRAMS/load" connections 3 >out
	"$EAGAIN" log >log
	port=$(sed -n 's/.* call=accept4 .* name="\?tcp 127.0.0.1:\([0-9]*\).*/\1/p' log | head -n 1)
	"$EAGAIN" log --path="tcp *->127.0.0.1:$port" --call=write | grep ' call=write ' >writes
	[ "$(wc -l <writes)" = 3 ]
	grep -c " name=\"\?tcp 127.0.0.1:[0-9]*->127.0.0.1:$port\"\? " writes | grep -qx 3
	"$EAGAIN" record --path="tcp *->127.0.0.1:*" --call=write,read "$PROGRAMS/load" connections 3 >out
	[ "$("$EAGAIN" log | grep -c ' ev=call call=\(read\|write\) .* name="\?tcp .*->')" = 6 ]
	run -1 grep ' call=\(connect\|accept4\|socket\|open\) ' <("$EAGAIN" log)
	"$EAGAIN" record sh -c 'read -r x <"a[b]c*d"' 2>/dev/null || true
	echo >'a[b]c*d'
	"$EAGAIN" record sh -c 'read -r x <"a[b]c*d"'
	"$EAGAIN" log --path="$PWD/a[b]c*d" --call=read | grep -q ' call=read '
	run -1 grep ' call=read ' <("$EAGAIN" log --path="$PWD/abc*d" --call=read)
	"$EAGAIN" log --path="$PWD/a[b]c?d" --call=read | grep -q ' call=read '
}

@test "the report and JSON: only what was asked for, who is at the other end, and a line that says so" {
	"$EAGAIN" record "$PROGRAMS/filter" story
	"$EAGAIN" report --fd=11 --longer-than=50ms >report
	sed -n 2p report | grep -qx 'only --fd=11 --longer-than=50ms'
	[ "$(grep -c ' fd [0-9]*, ' report)" = 1 ]
	grep -q ' fd 11, pipe:' report
	grep -q ' 1 call, 1 would block' report
	grep -q 'as far as it was asked for\.$' report
	run -1 grep 'only\|recorded with\|asked for' <("$EAGAIN" report)
	"$EAGAIN" record -o pipeline sh -c '"$PROGRAMS/asleep" | cat'
	"$EAGAIN" report --fd=0 pipeline | grep -q ' fd 0, pipe:\[[0-9]*\] <- asleep (pid '
	"$EAGAIN" record --fd=0 -o pipeline sh -c '"$PROGRAMS/asleep" | cat'
	"$EAGAIN" report pipeline | grep -q ' fd 0, pipe:\[[0-9]*\] <- asleep (pid '
	"$EAGAIN" report --path=$'x\033[1m' | sed -n 2p | grep -qx 'only --path=x?\[1m'
	need_program python3
	"$EAGAIN" report --json --fd=11,15 --exclude='*select*' >report.json
	"$EAGAIN" report --json >whole.json
	python3 - <<-'PYTHON'
		import json
		r, whole = json.load(open("report.json")), json.load(open("whole.json"))
		assert r["filter"] == "--exclude=*select* --fd=11,15" and r["recorded_filter"] is None and r["switched_off"] == []
		assert whole["filter"] is None
		# An epoll_wait on 16 returned 15.
		assert sorted({f["fd"] for p in r["processes"] for f in p["fds"]}) == [11, 15, 16]
		main = lambda t: next(p for p in t["processes"] if p["ppid"] != t["processes"][0]["pid"])
		fds = lambda t: {(f["fd"], f["name"]): f for f in main(t)["fds"] if f["fd"] in (11, 15) and f["name"]}
		assert fds(r).keys() == fds(whole).keys()
		for key in fds(r):
		    for number in ("calls", "would_block", "bytes_read", "bytes_written", "wait_read_ns"):
		        assert fds(r)[key][number] == fds(whole)[key][number], (key, number)
		assert len(main(r)["threads"]) == 1 and main(r)["exit_status"] == 0
	PYTHON
}

@test "what cannot be asked for: one line, and a call that may have been meant" {
	complains 2 '--call: "raed": no such call: did you mean read\?' "$EAGAIN" log --call=raed
	complains 2 '--call: "pread": no such call: did you mean pread64\?' "$EAGAIN" record --call=read,pread true
	complains 2 '--exclude: "pol": no such call: did you mean poll\?' "$EAGAIN" --exclude=pol true
	complains 2 '--call: "futex": no such call*' "$EAGAIN" run --call=futex true
	complains 2 '--call: "x*y": no such call' "$EAGAIN" report --call='x*y'
	complains 2 '--call: needs a name*' "$EAGAIN" report --call=
	complains 2 '--call: "": no such call*' "$EAGAIN" report --call=read,
	complains 2 '--call: a list of * bytes is too long' "$EAGAIN" report --call="$(printf 'read,%.0s' {1..200})read"
	for list in x 1- 3-1 -1 1,,2 '1,' 4294967296 '0 1' "$(seq -s, 40)"; do
		complains 2 '--fd: "*": must be numbers or ranges*' "$EAGAIN" log --fd="$list"
	done
	complains 2 '--pid: "x": must be numbers*' "$EAGAIN" report --pid=x
	for time in x 1h -1s '' 1e3 1msx 99999999999s; do
		complains 2 '--longer-than: "*": must be a time*' "$EAGAIN" log --longer-than="$time"
	done
	complains 2 '--path: needs a name*' "$EAGAIN" log --path=
	complains 2 '--program: a list of * bytes is too long' "$EAGAIN" log --program="$(printf '%0600d' 0)"
	complains 2 '--pid: only for eagain report, log, timeline, export' "$EAGAIN" record --pid=1 true
	for signal in KILL STOP CHLD CONT SEGV 0 65 USR3 '' 12x; do
		complains 2 '--signal: "*": must be a signal*' "$EAGAIN" record --signal="$signal" true
	done
	complains 2 'switch: on or off?' "$EAGAIN" switch
	complains 2 'switch: "maybe": must be on or off' "$EAGAIN" switch maybe
	complains 2 'b: one directory at a time' "$EAGAIN" switch on a b
	complains 1 'eagain.trace: No such file*' "$EAGAIN" switch on
	complains 1 'none: no such directory' "$EAGAIN" switch on none
	mkdir empty other
	complains 1 'empty: not a trace*' "$EAGAIN" switch off empty
	head -c 4096 /dev/zero >other/control
	complains 1 'other: not a trace*' "$EAGAIN" switch off other
	cmp other/control <(head -c 4096 /dev/zero)
	[ ! -e eagain.trace ]
}

@test "variables: for the shim alone, and not for an eagain inside" {
	env LD_PRELOAD="$LIBRARY" EAGAIN_TRACE=t EAGAIN_CALL=write EAGAIN_FD=1 sh -c 'read -r x </dev/null; echo; cd /; exec /bin/echo' >out
	[ "$("$EAGAIN" log t | grep -c ' ev=call call=write fd=1 ')" = 2 ]
	run -1 grep ' ev=call call=\(read\|open\)' <("$EAGAIN" log t)
	"$EAGAIN" report t | sed -n 2p | grep -qx 'recorded with --call=write --fd=1'
	# A value that makes no sense is as if it were not there.
	env LD_PRELOAD="$LIBRARY" EAGAIN_TRACE=u EAGAIN_CALL=none,read EAGAIN_FD=1-,2 EAGAIN_LONGER_THAN=long sh -c 'read -r x </dev/null; :'
	[ "$("$EAGAIN" log u | grep -c ' ev=call call=read ')" -ge 1 ]
	run -1 grep 'recorded with' <("$EAGAIN" report u)
	"$EAGAIN" record --call=write -o outer env -i PATH="$PATH" E="$EAGAIN" sh -c '$E record -o inner sh -c "read -r x </dev/null; :"; $E log inner >log'
	grep -q ' ev=call call=read ' log
	run -1 grep ' ev=call call=read ' <("$EAGAIN" log outer)
	EAGAIN_CALL=write EAGAIN_OFF=1 EAGAIN_FD=77 "$EAGAIN" record sh -c 'read -r x </dev/null; :'
	[ "$("$EAGAIN" log | grep -c ' ev=call call=read ')" -ge 1 ]
}

@test "the live log: only what was asked for" {
	"$EAGAIN" run --log=live --path='pipe:*' --call=read,write "$PROGRAMS/filter" story
	grep ' ev=call ' live >calls
	[ "$(grep -c ' name=pipe:' calls)" = "$(wc -l <calls)" ] && [ "$(wc -l <calls)" = 5 ]
	[ "$(grep -c ' ev=return call=read fd=11 name=pipe:' live)" = 1 ]
	"$EAGAIN" run --log=program --program=none "$PROGRAMS/filter" story
	[ ! -e program ]
	"$EAGAIN" run --log=other --fd=15 --exclude='epoll*' "$PROGRAMS/filter" story
	grep -o ' ev=\(call\|ready\) call=[a-z]* fd=[0-9-]* ' other | paste -sd, | grep -qx ' ev=call call=poll fd=- , ev=ready call=poll fd=15 , ev=call call=select fd=- , ev=ready call=select fd=15 , ev=call call=read fd=15 '
}

# What a program does under a filter that leaves out nearly everything, or asks most.
filters() {
	cat <<-'END'
		--call=write
		--fd=0,5-7 --path=pipe:* --exclude-path=/usr/*
		--longer-than=1ms --exclude=read,poll
		--program=none
		--off
		--switch=flag --call=read --path=*
	END
}

# In filtered.N, a program is recorded with the Nth of them.
# shellcheck disable=SC2034 # prefix: for observe
set_prefix() {
	local given
	case $1 in
	native) prefix=() ;;
	filtered.*)
		read -ra given <<<"$(filters | sed -n "${1#*.}p")"
		prefix=("$EAGAIN" record "${given[@]}" -o "$BATS_TEST_TMPDIR/trace.$1" --)
		;;
	esac
}

@test "the program does what it does natively, whatever is asked for" {
	MODES=$(seq -f filtered.%g "$(filters | wc -l)" | paste -sd' ')
	same sh -c 'for i in 1 2 3; do seq 20000 | sort -r | tail -n 2 | while read -r x; do echo "$x"; done; done; exec cat /no/such'
	same timeout 120 "$PROGRAMS/traps" kind-that-became-another
	same timeout 120 "$PROGRAMS/kept" 7 3000
	# With --switch=flag one row differs: tests/matrix.bats.
	MODES=${MODES% *}
	same timeout 120 "$PROGRAMS/matrix" run /transfer/pipe/
	same timeout 120 "$PROGRAMS/matrix" run /poll/unix-stream/
}

# begin OPTIONS...: records "filter steps" into ./t; say makes it take a step.
begin() {
	mkfifo in out
	"$EAGAIN" record "$@" -o t "$PROGRAMS/filter" steps <in >out &
	pid=$!
	exec 7>in 8<out
}

say() {
	local answer i
	for ((i = 0; i < ${#1}; i++)); do
		printf '%s' "${1:i:1}" >&7
		read -rn 1 -t 60 -u 8 answer && [ "$answer" = . ]
	done
}

end() {
	exec 7>&-
	ends_with 0 "$pid"
	exec 8<&-
	"$EAGAIN" log t >log
}

# steps: which steps were recorded, each of the program and of its child.
steps() {
	sed -n 's/.* ev=call call=write fd=10 name=[^ ]*\/file ret=\([0-9]*\) .*/\1/p' log | sort -n | uniq -c | awk '{ print $2 "x" $1 }' | paste -sd' '
}

@test "switched off and on by eagain switch: the calls that began while it was on, of all processes, and no others" {
	begin --off
	say ww
	"$EAGAIN" switch on t
	say www
	"$EAGAIN" switch off t
	"$EAGAIN" switch off t
	say www
	"$EAGAIN" switch on t
	say w
	"$EAGAIN" switch off t
	end
	[ "$(steps)" = '3x2 4x2 5x2 9x2' ]
	grep -o ' ev=\(on\|off\) ' log | paste -sd' ' | grep -qx ' ev=off   ev=on   ev=off   ev=on   ev=off '
	# By the log's times, no call began while it was off.
	awk '/ ev=on / { on = 1 } / ev=off / { on = 0 } / call=[a-z]/ && !/ ev=ready / && !/ ev=return / && !on { print; bad = 1 } END { exit bad }' log
	# Each step is a write to the file, one to the child and one to stdout, and a read of the answer; and what was read for the next.
	[ "$(grep -c ' ev=call call=write fd=1 ' log)" = 4 ]
	[ "$(grep -c ' ev=exit ' log)" = 2 ] && [ "$(grep -c ' ev=fork ' log)" = 1 ] && [ "$(grep -c ' ev=reap ' log)" = 1 ]
	"$EAGAIN" report t >report
	[ "$(grep -c '^not recorded from .* to [0-9.]* m\?s: switched off$' report)" = 2 ]
	grep -q '^not recorded from 0 to ' report
	grep -q '^not recorded from .* to the end: switched off$' report
	run -1 grep 'Not everything was recorded' report
	"$EAGAIN" report --json t | grep -o '"switched_off":\[{"from_ns":0,"to_ns":[0-9]*},{"from_ns":[0-9]*,"to_ns":[0-9]*},{"from_ns":[0-9]*,"to_ns":null}\]' >gaps
	[ -s gaps ]
}

@test "switched on: what was opened meanwhile has its name, and what was closed not its old one" {
	begin
	say wow
	"$EAGAIN" switch off t
	say oww
	"$EAGAIN" switch on t
	say w
	end
	[ "$(steps)" = '1x2 2x2 5x2' ]
	sed -n 's/.* ev=call call=write fd=11 name=[^ ]*\/\(other\.[0-9]*\) ret=\([0-9]*\) .*/\1:\2/p' log | paste -sd' ' | grep -qx 'other.1:2 other.2:5'
	"$EAGAIN" report --json t | grep -o '"fd":11,"kind":"file","name":"[^"]*/other\.[0-9]"' | grep -o 'other.*[0-9]' | paste -sd' ' | grep -qx 'other.1 other.2'
}

# switched N: waits until the trace has been switched so often; a signal takes its time.
switched() {
	until [ "$("$EAGAIN" log t 2>/dev/null | grep -c ' ev=\(on\|off\) ')" = "$1" ]; do kill -0 "$pid"; done
}

@test "switched by a signal: to eagain, and not to the program, whose signals are its own" {
	begin --signal=USR2
	say ww
	kill -USR2 "$pid"
	switched 1
	say www
	kill -USR2 "$pid"
	switched 2
	say w
	end
	[ "$(steps)" = '1x2 2x2 6x2' ]
	grep ' ev=\(on\|off\) ' log | grep -c " pid=$pid " | grep -qx 2
	for options in --signal=SIGUSR2 --signal=12 '--signal=SIGUSR2 --off'; do
		# shellcheck disable=SC2086 # several words
		"$EAGAIN" record $options grep '^Sig[BIC]' /proc/self/status | diff <(grep '^Sig[BIC]' /proc/self/status) -
		# shellcheck disable=SC2086
		run -138 "$EAGAIN" record $options sh -c 'kill -USR1 $$'
		# shellcheck disable=SC2086
		run -7 "$EAGAIN" record $options sh -c 'trap "exit 7" USR1; kill -USR2 $PPID; (kill -USR1 $PPID); while :; do :; done'
	done
	"$EAGAIN" --signal=USR2 -o report sh -c 'kill -USR2 $PPID'
	grep -q '^not recorded from .* to the end: switched off' report
}

@test "switched all the time, by several at once, and by threads' calls: nothing is lost, and the program does not notice" {
	begin
	for i in 1 2 3; do
		for _ in $(seq 40); do "$EAGAIN" switch off t; "$EAGAIN" switch on t; done &
		switchers[i]=$!
	done
	for _ in $(seq 100); do say w; done
	wait "${switchers[@]}"
	say w
	end
	steps | tr ' ' '\n' | grep -qx '101x2'
	[ "$(grep -c ' ev=\(on\|off\) ' log)" -le 64 ]
	sane_trace t
	"$EAGAIN" report t >report
	run -1 grep 'Not everything' report
	"$EAGAIN" record -o threads "$PROGRAMS/load" threads 20 5000 >ended &
	pid=$!
	until [ -e threads/control ]; do kill -0 $pid; done
	until [ -s ended ]; do "$EAGAIN" switch off threads; "$EAGAIN" switch on threads; done
	ends_with 0 $pid
	[ "$(cat ended)" = "done" ]
	sane_trace threads
}

@test "a recording that is off from its beginning to its end: its processes, and no call" {
	"$EAGAIN" record --off sh -c 'echo one | cat; exit 3' >out || [ $? = 3 ]
	[ "$(cat out)" = one ]
	run -1 grep ' call=[a-z]\| ev=\(fd\|close\|dup\) ' <("$EAGAIN" log)
	[ "$("$EAGAIN" log | grep -c ' ev=exit ')" = 3 ]
	"$EAGAIN" report | grep -q '^sh -c .* in all, exit status 3$'
	env LD_PRELOAD="$LIBRARY" EAGAIN_TRACE=t EAGAIN_OFF=1 sh -c 'read -r x </dev/null; "$EAGAIN" switch on t; read -r x <in' 2>/dev/null || true
	[ "$("$EAGAIN" log t | grep -c ' call=open')" = 1 ]
}

@test "damaged traces never crash the filters" {
	"$EAGAIN" record --call='*' -o good sh -c 'sleep 0.01 | cat'
	"$EAGAIN" switch off good
	"$EAGAIN" record -o many "$PROGRAMS/filter" many
	RANDOM=3
	for round in $(seq 40); do
		for trace in good many; do
			damage $trace bad
			for view in 'report --json --fd=0-150' 'log --path=pipe:* --longer-than=1us --call=*poll*,read' 'log --program=*' 'switch on'; do
				status=0
				# shellcheck disable=SC2086 # several words
				timeout 20 "$EAGAIN" $view bad >out 2>err || status=$?
				[ "$status" -le 1 ] || { echo "round $round $view: status $status"; cat err; false; }
			done
		done
	done
}
