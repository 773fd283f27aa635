# How many instructions a call may take in user space beyond the native one: counted, so that it is the same each time, whatever
# else the machine does.  Where a change makes it less, lower the budget with it.

load helper

# Passed through, and recorded.  What the recorded ones took when they were written down, and a tenth more.  To count takes so long that a
# recorded open seems to have waited, and is looked at: what it costs otherwise is less.
table='
run poll-1 60
run poll-63 300
run select-1 120
run read 40
run pread 40
run write 40
run open-close 290
run read-threads 95
record read 153
record pread 172
record write 153
record poll-1 1350
record open-close 1450
record read-threads 171'

# within MODE: its rows.
within() {
	local mode call budget native taken
	while read -r mode call budget; do
		[ "$mode" = "$1" ] || continue
		native=$("$PROGRAMS/budget" "$call")
		taken=$(under "$mode.auto" "$PROGRAMS/budget" "$call")
		note "$mode $call: $native natively, $((taken - native)) more under eagain, of $budget"
		[ "$taken" -le $((native + budget)) ] || return
	done <<<"$table"
}

@test "a call that is passed through costs some instructions more than natively: a budget" {
	within run
}

# Elsewhere its time comes from clock_gettime, which takes what the kernel's page for it takes.
@test "a call that is recorded costs some instructions more than natively: a budget" {
	grep -qx tsc /sys/devices/system/clocksource/clocksource0/current_clocksource || skip 'the clock is not the TSC'
	within record
}

# What a program's start costs beyond the native one: system calls, instructions.  Each directory on the way to the library, and to
# the trace, is a system call.
starts='
preload 20 175000
run 80 330000
record 160 345000'

# start HOW WHAT: of a program that does nothing: its start (system calls) or steps (instructions).
start() {
	local clean=(env -i PATH=/usr/bin:/bin)
	rm -rf trace
	case $1 in
	native) "${clean[@]}" "$PROGRAMS/budget" "$2" /bin/true ;;
	preload) "${clean[@]}" LD_PRELOAD="$LIBRARY" "$PROGRAMS/budget" "$2" /bin/true ;;
	run) "${clean[@]}" "$PROGRAMS/budget" "$2" "$EAGAIN" run /bin/true ;;
	record) "${clean[@]}" "$PROGRAMS/budget" "$2" "$EAGAIN" record -o trace /bin/true ;;
	esac
}

# starts_within WHAT: its rows.
starts_within() {
	local how calls steps native taken budget
	cd "$BATS_TEST_TMPDIR" || return
	native=$(start native "$1")
	while read -r how calls steps; do
		[ -n "$how" ] || continue
		[ "$1" = start ] && budget=$calls || budget=$steps
		taken=$(start "$how" "$1")
		note "$1 by $how: $native natively, $((taken - native)) more under eagain, of $budget"
		[ "$taken" -le $((native + budget)) ] || return
	done <<<"$starts"
}

@test "a start costs some system calls more than natively: a budget" {
	starts_within start
}

# bats test_tags=all
@test "a start costs some instructions more than natively: a budget" {
	starts_within steps
}
