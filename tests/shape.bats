# What libeagain.so is made of: the promises about its shape that can be read off the file.

load helper

@test "exports exactly the names of the table" {
	diff <(nm -D --defined-only "$LIBRARY" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort) \
		<(grep -o 'NAME([A-Za-z0-9_]*)' "$TOP/shim/names.def" | sed 's/NAME(\(.*\))/\1/' | sort)
}

@test "every name of the table is libc's" {
	libc=$(ldd "$LIBRARY" | sed -n 's/.*libc\.so\.6 => \([^ ]*\).*/\1/p')
	nm -D --defined-only "$libc" | sed 's/.* \([^@ ]*\)\(@.*\)\?$/\1/' | sort -u >"$BATS_TEST_TMPDIR/libc"
	missing=$(grep -o 'NAME([A-Za-z0-9_]*)' "$TOP/shim/names.def" | sed 's/NAME(\(.*\))/\1/' | sort | comm -23 - "$BATS_TEST_TMPDIR/libc")
	[ -z "$missing" ] || { echo "$missing"; false; }
}

@test "needs nothing but libc, and no symbol newer than glibc 2.34" {
	[ "$(readelf -d "$LIBRARY" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -v '^ld-linux')" = libc.so.6 ]
	newest=$(objdump -T "$LIBRARY" | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -V | tail -n 1)
	[ "$(printf '%s\n2.34\n' "$newest" | sort -V | tail -n 1)" = 2.34 ] || { echo "$newest"; false; }
	note "oldest glibc that has every symbol: $newest"
}

@test "calls no malloc, no stdio, no locks, and nothing that a sanitizer may have put in its place" {
	forbidden='malloc|calloc|realloc|free|printf|fprintf|snprintf|fopen|fwrite|puts|pthread_mutex_lock|pthread_once|sem_wait|__stack_chk_fail|on_exit|atexit|dl_iterate_phdr|mem.*|str.*|stp.*'
	run -1 grep -E "^($forbidden)$" <(nm -D --undefined-only "$LIBRARY" | awk '{ print $2 }' | sed 's/@.*//')
}

@test "runs first, is bound at once, has no writable code and no text relocations" {
	readelf -d "$LIBRARY" >"$BATS_TEST_TMPDIR/dynamic"
	grep -q 'INITFIRST' "$BATS_TEST_TMPDIR/dynamic"
	grep -q 'NOW' "$BATS_TEST_TMPDIR/dynamic"
	run -1 grep -q TEXTREL "$BATS_TEST_TMPDIR/dynamic"
	run -1 grep -E 'LOAD.* RWE' <(readelf -lW "$LIBRARY")
	run -1 grep -E 'GNU_STACK.* RWE' <(readelf -lW "$LIBRARY")
}

# In a virtual machine its host answers, in 10 us, at each start of each program: libc has asked already.
@test "does not ask what the processor is" {
	run -1 grep -w cpuid <(objdump -d "$LIBRARY")
}

@test "stack frames: none on the path of an operation above 1 KiB" {
	make -s -C "$TOP" BUILD="$BATS_TEST_TMPDIR/build" CFLAGS='-O2 -fstack-usage' "$BATS_TEST_TMPDIR/build/libeagain.so"
	# exec and spawn hold the new environment; the live log, a line.
	find "$BATS_TEST_TMPDIR/build" -name '*.su' -exec cat {} + >"$BATS_TEST_TMPDIR/frames"
	[ -s "$BATS_TEST_TMPDIR/frames" ]
	sort -t$'\t' -k2,2n "$BATS_TEST_TMPDIR/frames" | tail -n 5
	run -1 awk -F'\t' '$2 > 1024 && $1 !~ /:(f?exec[a-z]*|posix_spawnp?|write_line)$/ { print; found = 1 } END { exit !found }' "$BATS_TEST_TMPDIR/frames"
	note "largest frames: $(sort -t$'\t' -k2,2nr "$BATS_TEST_TMPDIR/frames" | head -n 3 | awk -F'\t' '{ sub(/.*:/, "", $1); printf "%s %s; ", $1, $2 }')"
}

@test "is not built for another libc: one line says so" {
	need_program musl-gcc
	run -2 make -C "$TOP" --no-print-directory CC=musl-gcc BUILD="$BATS_TEST_TMPDIR/build" all
	[ "${#lines[@]}" = 1 ]
	[[ ${lines[0]} == *'eagain: musl-gcc: its libc is not glibc, which eagain needs'* ]]
	[ ! -e "$BATS_TEST_TMPDIR/build" ]
}

@test "memory: at most 2 MiB more resident than natively, and nothing recorded by run" {
	[ -r /proc/self/smaps_rollup ] || skip "no smaps_rollup"
	rss() { "$@" awk '/^(Private_Dirty|Private_Clean)/ { n += $2 } END { print n }' /proc/self/smaps_rollup; }
	native=$(rss env)
	here=$(rss "$EAGAIN" run)
	[ "$((here - native))" -le 2048 ] || { echo "$native $here"; false; }
	note "private memory of awk: $native KiB, under eagain run $here KiB"
}
