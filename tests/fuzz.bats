# A fuzzer's short run: all views of some thousand traces that are none, under ASan and UBSan.  scripts/fuzz goes on from there.

load helper

setup_file() {
	need_program clang perl
	echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' >"$BATS_FILE_TMPDIR/none.c"
	clang -fsanitize=fuzzer,address -o "$BATS_FILE_TMPDIR/none" "$BATS_FILE_TMPDIR/none.c" || skip "clang has no fuzzer here"
	make -s -C "$TOP" build/fuzz/trace
	"$TOP/tests/fuzz/seeds" "$BATS_FILE_TMPDIR/seeds"
}

fuzz() {
	mkdir -p "$TOP/build/fuzz/found"
	# What dies in one view, as --op of none, leaves its memory to the next here.
	run env ASAN_OPTIONS=detect_leaks=0 "$TOP/build/fuzz/trace" -max_len=65536 -timeout=20 -rss_limit_mb=1024 -malloc_limit_mb=256 \
		-artifact_prefix="$TOP/build/fuzz/found/" "$@" "$BATS_FILE_TMPDIR/seeds"
	[ "$status" = 0 ] || { grep -E "ERROR|SUMMARY|Test unit" <<<"$output"; tail -n 40 <<<"$output"; false; }
}

@test "the seeds themselves are read: each view of each trace" {
	[ "$(find "$BATS_FILE_TMPDIR/seeds" -type f | wc -l)" -ge 100 ]
	fuzz -runs=0
	# As many edges of the code as only traces that are read come to.
	[ "$(sed -n 's/.*INITED cov: \([0-9]*\).*/\1/p' <<<"$output")" -gt 3000 ]
}

@test "traces that are none: no view crashes, hangs, takes memory without bound, or writes control characters" {
	fuzz -runs=1500 -seed="$RANDOM"
	note "$(grep -o 'Done .*' <<<"$output")"
}
