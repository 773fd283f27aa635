# glibc's own tests of behaviour, of the version that is installed: the same program, both ways, no difference.

load helper

setup_file() {
	export GLIBC=$BATS_FILE_TMPDIR why
	why=$("$BATS_TEST_DIRNAME/glibc.sh" source "$GLIBC") || return 0
	"$BATS_TEST_DIRNAME/glibc.sh" build "$GLIBC" "$BATS_TEST_DIRNAME/glibc.list"
}

setup() {
	[ -z "$why" ] || skip "$why"
	export LOCPATH=$GLIBC/locale TIMEOUTFACTOR=10 EAGAIN_MAX_SIZE=64M MODES
	export -f observe_test outcome_of compare_modes compare_test observe sane_trace set_prefix
}

# observe_test MODE NAME ARGUMENT...: some want their input, or a file called Makefile where they run.
observe_test() {
	local mode=$1 name=$2
	local -x INPUT=/dev/null TMPDIR=$BATS_TEST_TMPDIR/tmp
	shift 2
	rm -rf "$TMPDIR"
	mkdir "$TMPDIR"
	[ ! -f "$GLIBC/bin/$name.input" ] || INPUT=$GLIBC/bin/$name.input
	observe "$mode" sh -c ': >Makefile; exec timeout -k 5 300 "$@" 3>&- 4>&-' sh "$GLIBC/bin/$name" "${@/@/$GLIBC/bin/$name}"
}

# outcome_of DIR: the status and the lines, without numbers, names of temporary files and the order of threads.
outcome_of() {
	cat "$1/status"
	tr -d '\0' <"$1/stdout" | cat - "$1/stderr" | sed -E 's/0x[0-9a-f]+|[0-9]+(\.[0-9]+)?/N/g; s/(native|(run|record)\.(auto|flag))\b/MODE/g' | sort -u
}

# compare_modes NAME ARGUMENT...: a line for each mode in which it differs.  Of what differs natively from one run to the next
# only the status is compared; one whose status does is not.
compare_modes() {
	local first second mode now
	observe_test native "$@"
	first=$(outcome_of "$BATS_TEST_TMPDIR/native")
	observe_test native "$@"
	second=$(outcome_of "$BATS_TEST_TMPDIR/native")
	[ "${first%%$'\n'*}" = "${second%%$'\n'*}" ] || return 0
	for mode in $MODES; do
		observe_test "$mode" "$@" || echo "$1 $mode: the trace cannot be read"
		now=$(outcome_of "$BATS_TEST_TMPDIR/$mode")
		[ "$first" = "$second" ] || now=${now%%$'\n'*} second=${first%%$'\n'*}
		[ "$now" = "$second" ] || echo "$1 $mode: natively ${first%%$'\n'*}, now ${now%%$'\n'*}: $(diff <(echo "$second") <(echo "$now") | grep -m 3 '^[<>]' | paste -sd' ')"
	done
}

# compare_test LINE: one line of what was built.  What differs once on a loaded machine is not counted, but said, if it does not
# differ again in two more runs.
compare_test() {
	local BATS_TEST_TMPDIR words try found
	: "${MODES:?}"
	BATS_TEST_TMPDIR=$(mktemp -d "$GLIBC/XXXXXX")
	read -ra words <<<"$1"
	for try in 1 2 3; do
		found=$(compare_modes "${words[@]}")
		[ -n "$found" ] || break
		MODES=$(grep -oE '(run|record)\.(auto|flag)' <<<"$found" | sort -u | paste -sd' ')
	done
	if [ -n "$found" ]; then
		echo "$found"
	elif [ "$try" != 1 ]; then
		echo "once: ${words[0]}"
	fi
	echo "natively $(<"$BATS_TEST_TMPDIR/native/status") ${words[0]}"
	# Who is left of it may still record.
	rm -rf "$BATS_TEST_TMPDIR" 2>/dev/null || :
}

# compare_all PATTERN: the tests whose names match.
compare_all() {
	local mode all log=$BATS_TEST_TMPDIR/log
	about libc6
	all=$(grep -cE "$1" "$GLIBC/built")
	grep -E "$1" "$GLIBC/built" | xargs -P "$((2 * $(nproc)))" -d '\n' -n 1 bash -c 'compare_test "$1"' bash >"$log"
	finds "$(grep -c '^natively 0 ' "$log") of $all pass"
	for mode in $MODES; do
		echo "$mode $(grep -q "^[^ ]* $mode: " "$log" && echo differs || echo same)" >>"$BATS_TEST_TMPDIR/outcomes"
	done
	grep -v '^natively' "$log" || note "$all tests"
	[ "$(grep -c '^natively' "$log")" = "$all" ]
	run -1 grep -E '^[^ ]+ (run|record)\.' "$log"
}

# bats test_tags=all
@test "glibc's tests of threads: nptl" {
	compare_all '^nptl_'
}

# bats test_tags=all
@test "glibc's tests of threads: pthread" {
	compare_all '^sysdeps_pthread_'
}

# bats test_tags=all
@test "glibc's tests of Linux" {
	compare_all '^sysdeps_unix_'
}

# bats test_tags=all
@test "glibc's tests of files, sockets and signals" {
	compare_all '^(io|socket|misc|signal|dirent|inet|support|time)_'
}

# bats test_tags=all
@test "glibc's tests of stdio" {
	compare_all '^(libio|stdio-common|debug)_'
}

# bats test_tags=all
@test "glibc's tests of processes" {
	compare_all '^(posix|stdlib)_'
}

# bats test_tags=all
@test "glibc's tests of asynchronous I/O, message queues and timers" {
	compare_all '^rt_'
}

# bats test_tags=all
@test "glibc's tests of the resolver" {
	compare_all '^resolv_'
}
