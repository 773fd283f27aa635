# helper.bash - what the tests with real programs share: which of them are there, and a row of tests/RESULTS.md for each test.

load ../helper

# The servers' place, in an ordinary user's path as well.
PATH=$PATH:/usr/sbin:/sbin:/usr/games

# need_program PROGRAM...: the test is about these, and is skipped where one is not installed.
need_program() {
	local program
	for program; do
		command -v "$program" >/dev/null || skip "$program is not installed"
		about "$(package_of "$(command -v "$program")")"
	done
}

# need_package PACKAGE...: the same for what is no program: libraries, modules, test suites.
need_package() {
	local package
	for package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || skip "$package is not installed"
		about "$package"
	done
}

# leave_out MODE WHY: the test is not run in this mode: a difference that the mode cannot avoid.  MODE may be a pattern.
leave_out() {
	local mode kept=''
	for mode in $MODES; do
		# shellcheck disable=SC2053 # a pattern
		if [[ $mode == $1 ]]; then
			echo "$mode left out: $2" >>"$BATS_TEST_TMPDIR/outcomes"
		else
			kept+=" $mode"
		fi
	done
	MODES=$kept
}

# finds TEXT: what the native run came to, in a few words, for the table.
finds() {
	echo "$*" >"$BATS_TEST_TMPDIR/found"
}

about() {
	local version
	version=$(dpkg-query -W -f '${Version}' "$1" 2>/dev/null) || version=
	echo "$1 $version" >>"$BATS_TEST_TMPDIR/programs"
}

# package_of FILE: the Debian package that it came with; / and /usr may be one.
package_of() {
	local file
	for file in "$1" "/usr$1" "${1#/usr}" "$(realpath "$1")"; do
		dpkg-query -S "$file" 2>/dev/null | sed -n '1s/: .*//p' | grep . && return
	done
	basename "$1"
}

# With RESULTS=FILE each test that has compared something adds a row: programs, what, where, natively, and each mode, with tabs
# between them.
teardown() {
	[ -n "$RESULTS" ] && [ -f "$BATS_TEST_TMPDIR/outcomes" ] || return 0
	local mode row
	row=$(sort -u "$BATS_TEST_TMPDIR/programs" | paste -sd, | sed 's/,/, /g')
	row+=$'\t'$BATS_TEST_DESCRIPTION$'\t'${BATS_TEST_FILENAME#"$TOP/"}$'\t'
	if [ -f "$BATS_TEST_TMPDIR/found" ]; then
		row+=$(<"$BATS_TEST_TMPDIR/found")
	else
		row+="status $(sed -n 's/^native //p' "$BATS_TEST_TMPDIR/outcomes" | paste -sd, | sed 's/,/, /g')"
	fi
	for mode in run.auto run.flag record.auto record.flag; do
		row+=$'\t'$(sed -n "s/^$mode //p" "$BATS_TEST_TMPDIR/outcomes" | sort -u | paste -sd, | sed 's/,/, /g')
	done
	echo "$row" >>"$RESULTS"
}
