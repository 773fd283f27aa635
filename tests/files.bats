# --files: which calls on files waited for the disk, and which took what was in memory; direct I/O; and what cannot be made non-blocking.
#
# A page is out of the cache where the program has seen that it is (mincore(2)): what does not let go of it (tmpfs) is skipped.

load helper

# does WHAT...: the program does it natively and in each mode alike; skips the test where it cannot be done.
does() {
	local mode
	observe native "$PROGRAMS/files" "$@"
	[ "$(<"$BATS_TEST_TMPDIR/native/status")" != 77 ] || skip "the file system does not do that"
	MODES='run.auto run.flag record.auto files.auto files.flag' same "$PROGRAMS/files" "$@"
	for mode in files.auto files.flag; do
		"$EAGAIN" log "$BATS_TEST_TMPDIR/trace.$mode" >"$BATS_TEST_TMPDIR/log.$mode"
	done
}

# A machine that is busy may do without a sleep what it does with one: others have the processor while the disk works.
TRIES=5

# until_told CALLS WHAT: "does WHAT" and "told CALLS", some times.
until_told() {
	local try
	cat >"$BATS_TEST_TMPDIR/wanted"
	for ((try = 1; try < TRIES; try++)); do
		does "$2"
		! told "$1" <"$BATS_TEST_TMPDIR/wanted" || return 0
	done
	does "$2"
	told "$1" <"$BATS_TEST_TMPDIR/wanted"
}

# told CALLS: in both modes, what the log says of these calls on files, a line each: the call, what it returned, and what of the disk.
told() {
	local mode
	cat >"$BATS_TEST_TMPDIR/expected"
	for mode in files.auto files.flag; do
		awk -v calls="$1" '
			function value(key) { return match($0, " " key "=[^ ]*") ? substr($0, RSTART + length(key) + 2, RLENGTH - length(key) - 2) : "-" }
			/ ev=(call|return) / && value("call") ~ "^(" calls ")$" && value("name") ~ /^(\/.*|-)$/ {
				print value("call"), value("errno") == "-" ? value("ret") : value("errno"), value("disk"), value("direct")
			}' "$BATS_TEST_TMPDIR/log.$mode" | diff "$BATS_TEST_TMPDIR/expected" - || { echo "$mode"; return 1; }
	done
}

# json EXPRESSION [MODE]: what it makes of the report, d; of its files, f; and of the file "data".
json() {
	"$EAGAIN" report --json "$BATS_TEST_TMPDIR/trace.${2-files.auto}" | python3 -c '
import json, sys
d = json.load(sys.stdin)
f = d["files"]
data = next((x for x in (f or {"files": []})["files"] if x["name"].endswith("/data")), None)
print(eval(sys.argv[1]))' "$1"
}

report() {
	"$EAGAIN" report "$BATS_TEST_TMPDIR/trace.files.auto" >"$BATS_TEST_TMPDIR/report"
}

@test "files: what is in the cache does not wait" {
	does cached
	told '.*read.*' <<-'END'
		read 65536 cache -
		readv 65536 cache -
		pread64 65536 cache -
		preadv 65536 cache -
		preadv2 65536 cache -
	END
	run -1 grep -c 'ev=EWOULDBLOCK' "$BATS_TEST_TMPDIR/log.files.auto"
	report
	grep -q '^Files: 5 reads of 320.0 KiB, 100.0 % from the cache; 2 writes of ' "$BATS_TEST_TMPDIR/report"
}

@test "files: what is not in the cache waits, each way to read it" {
	until_told '.*read.*' cold <<-'END'
		read 65536 waited -
		readv 65536 waited -
		pread64 65536 waited -
		preadv 65536 waited -
		preadv2 65536 waited -
	END
	# As an operation that would block.
	for mode in files.auto files.flag; do
		[ "$(grep -c ' ev=EWOULDBLOCK .*/data ret=-1 errno=EAGAIN way=none$' "$BATS_TEST_TMPDIR/log.$mode")" = 5 ]
		[ "$(awk '$4 != "op=-" && /\/data / { way[$4] = way[$4] $5 } END { for (op in way) print way[op] }' "$BATS_TEST_TMPDIR/log.$mode" |
			sort | uniq -c | sed 's/^ *//')" = '5 ev=enterev=EWOULDBLOCKev=parkev=readyev=return' ]
	done
	report
	grep -q '^Files: 5 reads of 320.0 KiB, 0.0 % from the cache; 5 waited ' "$BATS_TEST_TMPDIR/report"
	grep -A 1 ' /.*/data$' "$BATS_TEST_TMPDIR/report" | grep -q '^ *5 reads of 320.0 KiB, .*; 5 waited '
	grep -q 'waited .* for the disk' "$BATS_TEST_TMPDIR/report"
}

@test "files: half in the cache: waits; then no more" {
	until_told '.*read.*' half <<-'END'
		pread64 262144 waited -
		pread64 524288 waited -
		pread64 524288 cache -
	END
	need_program python3
	[ "$(json 'data["read"]["calls"], data["read"]["waits"], data["read"]["bytes"], data["read"]["cached_bytes"]')" = \
		'(3, 2, 1310720, 524288)' ]
	[ "$(json 'data["read"]["wait_ns"] >= 2 * data["read"]["longest_wait_ns"] / 2 > 0')" = True ]
}

@test "files: the end of a file, nothing, behind the end, errors, holes: nothing waits; pipes are none" {
	does edges
	told '.*read.*' <<-'END'
		read 0 - -
		pread64 4096 cache -
		pread64 10 cache -
		pread64 0 - -
		pread64 EINVAL - -
		pread64 EFAULT - -
		pread64 EBADF - -
		read 0 - -
		read 524288 cache -
		read EISDIR - -
	END
	run -1 grep 'name=pipe.* disk=' "$BATS_TEST_TMPDIR/log.files.auto"
}

@test "files: in threads and children" {
	until_told '.*read.*' elsewhere <<-'END'
		pread64 65536 waited -
		pread64 65536 waited -
	END
}

do_direct() {
	until_told '.*read.*|pwrite.*' direct <<-'END'
		pread64 65536 waited yes
		pwrite64 65536 waited yes
		pread64 EINVAL - -
		pread64 65536 waited yes
		pread64 4096 waited -
		pread64 65536 waited yes
		pread64 65536 waited -
		pread64 65536 waited yes
	END
}

@test "files: direct I/O: from its open, by fcntl, taken back, in copies and children" {
	do_direct
	grep -q ' ev=call call=open fd=[0-9]* name=.*/data .* direct=yes' "$BATS_TEST_TMPDIR/log.files.auto"
	need_program python3
	[ "$(json 'data["read"]["direct_bytes"], data["write"]["direct_bytes"], data["read"]["cached_bytes"]')" = '(262144, 65536, 0)' ]
	report
	grep -q ' 256.0 KiB by O_DIRECT; ' "$BATS_TEST_TMPDIR/report"
}

# picture CALL END: of the first such operation, whose line in the log ends so, without its times.
picture() {
	local op
	op=$(sed -n "s/.* op=\([0-9]*\) ev=return call=$1 .*$2\$/\1/p" "$BATS_TEST_TMPDIR/log.files.auto" | head -n 1)
	COLUMNS=80 "$EAGAIN" timeline --op="$op" "$BATS_TEST_TMPDIR/trace.files.auto" |
		sed -n '/^returned /!{ /^    t0/q; s/ *$//; 3,$p }'
}

@test "files: the pictures: blocking file I/O, and direct I/O, whose data goes past the kernel's memory" {
	do_direct
	picture pread64 disk=waited | diff - <(cat <<-'END'
		a file: no attempt can tell; its thread slept, so it waited

		User space                                                        (not to scale)
		pread64()                                                              returns
		                                                                       4096
		----+                                                                  +--------
		    |                                                                  ^
		====|==================================================================|========
		    v                                                                  |
		    +---------------------.............................................+
		    parameters checked,   waiting for the disk
		    not all in the page                  data arrives there, data copied
		    cache
		Kernel space

	END
	)
	picture pread64 direct=yes | diff - <(cat <<-'END'
		O_DIRECT: between the device and the program, past the page cache

		User space                                                        (not to scale)
		pread64()                                                              returns
		                                                                       65536
		----+                                                [buffer]          +--------
		    |                                                   ^              ^
		====|===================================================#==============|========
		    v                                                   #              |
		    +---------------------..............................#..............+
		    parameters checked,   waiting for the disk          #
		    past the page cache                                 #
		                                                        #
		                                                        #
		Kernel space                                            #
		                                                        #
		Device                                  the device writes the data there

	END
	)
	picture pwrite64 direct=yes | grep -q '^Device *the device takes the data from there$'
}

@test "files: syncs are timed with and without, stat and its like with it; all as natively" {
	until_told 'fdatasync|sync_file_range|syncfs|msync' syncs <<-'END'
		fdatasync 0 waited -
		sync_file_range 0 waited -
		sync_file_range EINVAL - -
		syncfs 0 waited -
		syncfs EBADF - -
		msync 0 waited -
		msync EINVAL - -
	END
	told '.*stat.*' <<-'END'
		stat 0 - -
		stat ENOENT - -
		lstat 0 - -
		fstatat 0 - -
		fstatat 0 - -
		stat 0 - -
		lstat 0 - -
		fstatat 0 - -
		statx 0 - -
		statx EINVAL - -
		stat EFAULT - -
	END
	"$EAGAIN" log "$BATS_TEST_TMPDIR/trace.record.auto" >"$BATS_TEST_TMPDIR/log"
	for mode in files.auto files.flag; do
		grep ' call=fsync ' "$BATS_TEST_TMPDIR/log.$mode" | tail -n 1 | grep -q ' ret=0 .* disk=waited$'
	done
	for call in fsync fdatasync sync_file_range syncfs msync; do
		grep -q " ev=call call=$call .* dur=" "$BATS_TEST_TMPDIR/log" || { echo "not in the log: $call"; false; }
	done
	run -1 grep -c ' call=stat \| disk=' "$BATS_TEST_TMPDIR/log"
	report
	grep -q '^  fsync: [0-9]* calls, .*; [0-9]* waited ' "$BATS_TEST_TMPDIR/report"
	grep -q '^  stat: 4 calls, ' "$BATS_TEST_TMPDIR/report"
}

@test "files: where a tracer makes each call slow, close and stat have waited, too; and sync" {
	need_program strace
	cd "$BATS_TEST_TMPDIR"
	strace -f -o /dev/null -e inject=sync:retval=0 true || skip "no right to trace"
	strace -f -o /dev/null "$EAGAIN" record --files -o trace "$PROGRAMS/files" syncs >/dev/null
	"$EAGAIN" log trace >log
	for call in stat lstat fstatat statx close open; do
		grep -q " ev=call call=$call .* disk=waited$" log || { echo "did not wait: $call"; false; }
	done
	# What was closed had its name still.
	grep -q ' ev=call call=close fd=[0-9]* name=/.*/data ret=0 ' log
	strace -f -o /dev/null -e inject=sync:retval=0 "$EAGAIN" record --files -o trace "$PROGRAMS/files" sync
	"$EAGAIN" log trace | grep -q ' ev=call call=sync fd=- name=- ret=0 .* disk=waited$'
}

@test "files: page faults that waited for the disk" {
	does faults
	need_program python3
	[ "$(json '[p["major_faults"] for p in d["processes"]][0] >= 128')" = True ]
	[ "$(json '[p["major_faults"] for p in d["processes"]][0]' record.auto)" = None ]
	report
	grep -q '^  page faults that waited for the disk: [0-9]*$' "$BATS_TEST_TMPDIR/report"
	# Not those of the recording.
	"$EAGAIN" record --files -o "$BATS_TEST_TMPDIR/trace.files.auto" "$PROGRAMS/load" calls 500000 >"$BATS_TEST_TMPDIR/out"
	[ "$(json '[p["major_faults"] for p in d["processes"]][0] < 8')" = True ]
}

@test "files: a sandbox that kills at what the program does not do itself: not classified, and said so" {
	until_told '.*read.*' sandbox <<-'END'
		pread64 65536 waited -
		pread64 65536 - -
		pread64 65536 - -
	END
	report
	grep -q '^  not classified: 2 calls, made in a sandbox$' "$BATS_TEST_TMPDIR/report"
}

@test "files: another thread enters such a sandbox for a thread that is in a call" {
	does sealed
}

@test "files: a sandbox that does not know statx, preadv2 and pwritev2" {
	does unknown
}

@test "files: the opening of a FIFO that a signal ends has not waited for the disk; an fsync at whose end a handler looks at a file has" {
	until_told 'open|fsync' interrupted <<-'END'
		open 3 - -
		fsync 0 waited -
		open EINTR - -
		fsync 0 waited -
	END
}

@test "files: the kernel does not tell: found out at the start, and said so" {
	cd "$BATS_TEST_TMPDIR"
	"$PROGRAMS/files" jail true || skip "no seccomp"
	"$PROGRAMS/files" jail "$EAGAIN" record --files -o trace.files.auto "$PROGRAMS/files" cached >here
	"$PROGRAMS/files" cached | diff - here
	report
	grep -q '^  not classified: the kernel does not tell how often a thread has slept (getrusage(2))$' report
	run -1 grep 'made in a sandbox' report
	[[ $("$EAGAIN" report --json trace.files.auto) == *'"files":{"classified":false,"unclassified_calls":'* ]]
}

@test "files: a child that is not followed, and a filter" {
	cd "$BATS_TEST_TMPDIR"
	"$EAGAIN" record --files --no-follow -o trace perl -e 'stat "."; if (!fork) { stat "/", open F, "<$0" for 1 .. 9; exit } wait; stat "."'
	[ "$("$EAGAIN" log trace | grep -c ' call=.*stat ')" -ge 2 ]
	[ "$("$EAGAIN" log trace | cut -d' ' -f2 | sort -u | wc -l)" = 1 ]
	"$EAGAIN" record --files --call='pread*,fsync' -o trace "$PROGRAMS/files" cached >/dev/null
	[ "$("$EAGAIN" log trace | sed -n 's/.* call=\([a-z0-9]*\) .* disk=cache$/\1/p' | paste -sd' ')" = 'pread64 preadv preadv2' ]
}

@test "files: without --files nothing is said of it; the options and the variable" {
	cd "$BATS_TEST_TMPDIR"
	"$EAGAIN" record -o trace.files.auto "$PROGRAMS/files" cold >/dev/null || [ $? = 77 ]
	run -1 grep -c 'disk=' <("$EAGAIN" log trace.files.auto)
	report
	run -1 grep -c '^Files:\|page faults' report
	[[ $("$EAGAIN" report --json trace.files.auto) == *'"files":null'* ]]
	EAGAIN_FILES=1 "$EAGAIN" record -o trace.files.auto "$PROGRAMS/files" cached >/dev/null
	report
	grep -q '^Files: 5 reads' report
	"$EAGAIN" --files -o report "$PROGRAMS/files" cached >/dev/null
	grep -q '^Files: 5 reads' report
	"$EAGAIN" record --files --log=live -o trace.files.auto "$PROGRAMS/files" cached >/dev/null
	grep -q ' call=preadv2 .* disk=cache$' live
}

forgotten() {
	"$PROGRAMS/files" forget "$@" || { [ $? = 77 ] && skip "the file system does not let go of its pages"; }
}

# cold WANTED EXPRESSION FILE... -- CMD...: it does the same, once these are out of the cache, as natively; and the report says that of it.
cold() {
	local wanted=$1 expression=$2 files=() try
	shift 2
	for (( ; $# ; )); do
		[ "$1" != -- ] || break
		files+=("$1")
		shift
	done
	shift
	"$@" >native
	for ((try = 1; try <= TRIES; try++)); do
		forgotten "${files[@]}"
		"$EAGAIN" record --files -o trace.files.auto "$@" | cmp - native
		[ "$(json "$expression")" != "$wanted" ] || return 0
	done
	json "$expression"
	return 1
}

@test "files: tar and grep -r name the files that they waited for" {
	need_program tar python3
	cd "$BATS_TEST_TMPDIR"
	mkdir tree
	for file in one two three; do
		seq 20000 >tree/$file
	done
	waits='sorted(x["name"].split("/")[-1] for x in f["files"] if x["read"]["waits"] and "/tree/" in x["name"])'
	cold "['one', 'three', 'two']" "$waits" tree/* -- tar cf - tree
	"$EAGAIN" record --files -o trace.files.auto tar cf - tree | cmp - native
	[ "$(json "$waits")" = '[]' ]
	cold "['one', 'three', 'two']" "$waits" tree/* -- grep -r 1999 tree
}

@test "files: in what directory a file is opened is not asked for, where it was opened in another that is known" {
	need_program tar strace
	strace -o /dev/null true || skip "no right to trace"
	cd "$BATS_TEST_TMPDIR"
	mkdir -p tree/{1..40}
	for file in tree/*; do
		echo text >"$file/file"
	done
	# No other call is slowed down: what takes long is looked at.
	strace -f --seccomp-bpf -e trace=readlinkat -o calls "$EAGAIN" record --files -o trace tar cf archive tree
	[ "$("$EAGAIN" log trace | grep -c " ev=call call=read .* name=$PWD/tree/[0-9]*/file ret=5 ")" = 40 ]
	[ "$(grep -c '/proc/self/fd/' calls)" -lt 20 ]
}

@test "files: sqlite3 names its database" {
	need_program sqlite3 python3
	cd "$BATS_TEST_TMPDIR"
	sqlite3 base 'create table t(a); with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000)
		insert into t select hex(randomblob(20)) from c'
	cold '[True]' '[x["read"]["waits"] > 0 for x in f["files"] if x["name"].endswith("/base")]' base -- \
		sqlite3 base 'select count(*), max(a) from t'
	"$EAGAIN" record --files -o trace.files.auto sqlite3 base "insert into t values('x')"
	# Its journal, and itself, were synced.
	[ "$(json 'sum(c["waits"] for n, c in f["calls"].items() if n in ("fsync", "fdatasync")) >= 2')" = True ]
}
