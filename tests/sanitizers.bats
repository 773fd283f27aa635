# The same code, built to notice its own mistakes: the shim with UBSan's checks as traps (they need no runtime, which a preloaded
# object could not bring along; so ASan is not for it), and under ThreadSanitizer as a part of the program that uses it; the command
# with ASan and UBSan.

load helper

setup_file() {
	export SANITIZED=$BATS_FILE_TMPDIR/build
	make -s -C "$TOP" BUILD="$SANITIZED" CFLAGS='-O1 -g -fsanitize=undefined -fsanitize-undefined-trap-on-error' "$SANITIZED/libeagain.so"
	make -s -C "$TOP" BUILD="$SANITIZED" CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all' "$SANITIZED/eagain"
}

setup() {
	EAGAIN=$SANITIZED/eagain
	export ASAN_OPTIONS=detect_leaks=0
}

@test "the shim under UBSan: cells of the matrix on pipes, sockets and terminals" {
	for cells in /pipe/in/read_8 /pipe/out/write_large /unix-stream/out/send_large /unix-stream/in/recv_10 /tcp/in/readv /tty-1-0/in/read_8; do
		observe native "$PROGRAMS/matrix" run "$cells"
		[ -s "$BATS_TEST_TMPDIR/native/stdout" ]
		for mode in run.auto record.auto; do
			observe "$mode" "$PROGRAMS/matrix" run "$cells"
			diff "$BATS_TEST_TMPDIR/native/stdout" "$BATS_TEST_TMPDIR/$mode/stdout"
		done
	done
}

@test "the shim under UBSan: traps" {
	for trap in own-view exec-forms spawn-forms cancellation fork-among-threads stdio-reading high-fds vfork-child; do
		same "$PROGRAMS/traps" "$trap"
	done
}

@test "the shim under UBSan: POSIX AIO" {
	for behaviour in read-file order overlaps list-wait list-signal suspend cancel threads; do
		MODES=run.auto same "$PROGRAMS/aio" $behaviour
	done
}

@test "the shim under UBSan: locks" {
	same "$PROGRAMS/locks"
}

@test "the shim under UBSan: stacks" {
	for how in lie generate handler unload; do
		EAGAIN_STACKS=1 MODES=record.auto same "$PROGRAMS/stacks" $how
	done
}

@test "the shim under ThreadSanitizer: threads that read, write, poll, close, duplicate, request, fork and end" {
	make -s -C "$TOP" BUILD="$BATS_TEST_TMPDIR/build" "$BATS_TEST_TMPDIR/build/race/stress"
	for trace in '' "$BATS_TEST_TMPDIR/trace"; do
		# What is forked from among threads goes on here, as it does natively; a thread of the shim's that has ended is joined by
		# another when that has nothing to do, which may be after the end.  A trace that goes round.
		EAGAIN_MAX_SIZE=2M TSAN_OPTIONS='die_after_fork=0 report_thread_leaks=0' EAGAIN_TRACE=$trace "$BATS_TEST_TMPDIR/build/race/stress" 3 "$RANDOM" quiet 2>"$BATS_TEST_TMPDIR/err" ||
			{ head -n 60 "$BATS_TEST_TMPDIR/err"; false; }
		run -1 grep ThreadSanitizer "$BATS_TEST_TMPDIR/err"
	done
	"$TOP/build/eagain" report "$BATS_TEST_TMPDIR/trace"
}

@test "the command under ASan and UBSan: views of whole traces and of damaged ones" {
	cd "$BATS_TEST_TMPDIR"
	"$EAGAIN" record --stacks -o good sh -c '(echo one; sleep 0.02; echo two) | cat | head -n 1; "$PROGRAMS/stalls" epoll mutex'
	"$EAGAIN" report good
	"$EAGAIN" report --json good
	"$EAGAIN" log good
	"$EAGAIN" timeline good
	"$EAGAIN" timeline --by=fd good
	"$EAGAIN" timeline --op=1 good
	mapfile -t exports < <(sed -n 's/^FORMAT(\([a-z]*\),.*/export \1/p' "$TOP/tracer/formats.def")
	[ "${#exports[@]}" -ge 5 ]
	for export in "${exports[@]}"; do
		# shellcheck disable=SC2086 # a verb and its format
		"$EAGAIN" $export good >out
	done
	"$EAGAIN" -o text sh -c 'sleep 0.01 | cat'
	RANDOM=1
	for i in $(seq 100); do
		damage good bad
		for verb in report 'report --json' log timeline 'timeline --by=fd' 'timeline --op=1' "${exports[i % ${#exports[@]}]}"; do
			status=0
			# shellcheck disable=SC2086 # a verb, and what belongs to it
			timeout 20 "$EAGAIN" $verb bad >out 2>err || status=$?
			[ "$status" -le 1 ] && ! grep -q 'Sanitizer\|runtime error' err || { echo "$verb: status $status"; cat err; false; }
		done
	done
}

@test "the command under ASan and UBSan: options, check of damaged programs" {
	cd "$BATS_TEST_TMPDIR"
	"$EAGAIN" --help
	"$EAGAIN" log --help
	run -2 "$EAGAIN" run -o
	run -2 "$EAGAIN" --color
	mkdir good
	cp "$(type -P true)" good/program
	RANDOM=3
	for _ in $(seq 100); do
		damage good bad
		status=0
		timeout 20 "$EAGAIN" check bad/program >out 2>err || status=$?
		[[ $status = 0 || $status = 12[67] ]] && ! grep -q 'Sanitizer:\|runtime error' err || { echo "status $status"; cat err; false; }
	done
}
