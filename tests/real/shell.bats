# Shells, and what they are mostly used to start.

load helper

@test "bash and dash pipelines" {
	need_program bash dash
	for shell in bash dash; do
		same "$shell" -c 'seq 20000 | while read -r n; do [ $((n % 4999)) = 0 ] && echo $n; done | sort -rn | head -n 3'
		same "$shell" -c 'yes | head -n 100000 | wc -c; (exit 3) | cat; echo "$?"'
		same "$shell" -c 'for i in 1 2 3; do echo "line $i" >>file; done; cat file | tr a-z A-Z | tee copy; false'
		same "$shell" -c 'trap "echo trapped" TERM; kill -TERM $$; (sleep 0.05; echo late) & wait; echo "$(echo inner | cat)"'
		same "$shell" -c 'read -r a; read -r b; echo "$b $a"; cat' <<<"$(printf 'one\ntwo\nthree')"
	done
}

@test "bash: process substitution, coprocesses, here documents, read with a timeout" {
	need_program bash
	same bash -c 'diff <(seq 10) <(seq 2 11); coproc { while read -r x; do echo "got $x"; done; }; echo hello >&"${COPROC[1]}"; read -r y <&"${COPROC[0]}"; echo "$y"'
	same bash -c 'cat <<END; read -r -t 0.05 x < <(sleep 1) ; echo "$?"
text
END'
	same bash -c 'set -o pipefail; yes | head -n 1 >/dev/null; echo "${PIPESTATUS[*]}"; mkfifo f; (echo through the fifo >f &) ; cat f; rm f'
}

@test "coreutils" {
	need_package coreutils
	# shellcheck disable=SC2034 # read by observe
	INPUT=$TOP/Makefile
	same sh -c 'cat | tee a b | sort -u | uniq -c | tail -n 5; wc a b; cmp a b; md5sum a; split -l 20 a part.; cat part.* | cmp - a'
	same sh -c 'dd bs=7 count=100 status=none; dd if=/dev/zero bs=1M count=8 2>/dev/null | dd bs=64k iflag=fullblock 2>/dev/null | cksum'
	same sh -c 'head -c 1000 | od -c | tail -n 2; timeout 0.1 sleep 5; echo $?; timeout -s KILL 0.1 cat /dev/zero >/dev/null; echo $?'
	same sh -c '(echo a; sleep 0.1; echo b) | tail -f --pid=$$ -n +1 & wait; seq 5 | shuf --random-source=/dev/zero | paste -sd,; nohup echo x 2>/dev/null'
}

@test "grep, sed, awk" {
	need_program grep sed awk
	same sh -c 'seq 100000 | grep -c 7; seq 1000 | grep --line-buffered 99 | head -n 2; seq 10 | sed -n "3,5p;7q"; seq 100 | awk "{ s += \$1 } END { print s }"'
	same sh -c 'grep -r --include="*.none" x . ; echo $?; awk "BEGIN { while ((\"seq 3\" | getline x) > 0) print x; print \"to sort\" | \"sort\" }"'
}

@test "gzip and tar" {
	need_program gzip tar
	same sh -c 'seq 300000 | gzip -1 | gzip -dc | cksum; echo text | gzip -n | od -x; gzip -dc </dev/null; echo $?'
	same sh -c 'mkdir d; seq 1000 >d/a; seq 2000 >d/b; tar --sort=name --mtime=@0 --owner=0 --group=0 -cf - d | tar -tvf - | wc -l; tar -czf x.tgz d; rm -r d; tar -xzf x.tgz; cat d/a d/b | cksum; rm x.tgz'
}

@test "sed and gawk: streams, files in place, coprocesses, both ends of a pipe" {
	need_program sed gawk
	same sh -c 'seq 2000 >f; sed -i.old "s/7/seven/; \$d" f; cmp -s f f.old; echo $?; (echo a; echo b) | sed -u "s/a/x/w written"; sed -n "/^19.*9\$/{=;p}" f.old'
	cat >"$BATS_TEST_TMPDIR/program.awk" <<'AWK'
BEGIN {
	sorter = "sort -r"
	for (i = 0; i < 5000; i++)
		print i % 977 |& sorter
	close(sorter, "to")
	while ((sorter |& getline line) > 0)
		if (!(++lines % 1000))
			print line
	print "status", close(sorter)
	quiet = "cat 2>/dev/null"
	PROCINFO[quiet, "pty"] = 1
	print "through a pty" |& quiet
	quiet |& getline line
	sub(/\r$/, "", line)
	print line
	PROCINFO["sleep 5", "READ_TIMEOUT"] = 30
	print ("sleep 5" | getline line), "after the timeout"
	while (("seq 3; exit 4" | getline line) > 0)
		print line
	print "status", close("seq 3; exit 4")
	print "to a pipe" | "cat; cat >&2 /dev/null"
	print system("exit 5")
}
END { print NR, $0 }
AWK
	same sh -c 'seq 300 | gawk -f "$1"' sh "$BATS_TEST_TMPDIR/program.awk"
	grep -qx '300 300' "$BATS_TEST_TMPDIR/native/stdout"
}

@test "xz, zstd and bzip2, with threads" {
	need_program xz zstd bzip2
	same sh -c 'seq 400000 >f; xz -1 -T2 --block-size=300KiB -k f; xz -T2 -dc f.xz | cmp - f; (head -c 100000 f; sleep 0.1; tail -c +100001 f) | xz -0 -T2 | xz -dc | cksum; xz -l --robot f.xz | tail -n 1; rm f.xz'
	same sh -c 'seq 400000 | zstd -q -1 -T2 --no-progress | zstd -qdc | cksum; seq 100000 | bzip2 -1 | bzip2 -dc | cksum; seq 1000 | zstd -qc | head -c 50 | zstd -qdc 2>/dev/null; echo $?; bzip2 -dc </dev/null; echo $?'
}

@test "find, xargs -P, tee, script" {
	need_program find xargs tee script
	same sh -c 'mkdir -p d/e; for i in $(seq 50); do echo $i >d/e/$i; done; find d -type f -print0 | xargs -0 -n 3 -P 4 cat | sort -n | cksum; find d -name "1*" -exec cat {} + | wc -l; seq 10 | xargs -P 3 -I{} sh -c "exit \$(({} % 2))"; echo $?; rm -r d'
	same sh -c '(seq 1000; sleep 0.05; seq 1000) | tee a b | tee -p c | cksum; cmp a b; cmp a c; seq 100000 | tee -p d 2>/dev/null | head -n 1'
	same script -qec 'tty -s && echo "a terminal"; stty -echo; echo and | cat; sleep 0.05; exit 7' /dev/null
	same sh -c 'echo typed | script -qec "read -r x; echo \"got \$x\"" /dev/null | tr -d "\r" | sort -u | tail -n 1'
}
