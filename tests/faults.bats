# Each system call that the shim makes for itself fails, one after the other: the program does what it does natively.
#
# Which calls those are is not written down: "faults" (tests/programs) sees them by where in libeagain.so they are made, and the debug
# information says in which function.  All are the shim's own, but those of the functions below, which make the program's.

load helper

# What these return is the program's to see.
makes_programs='attempt_dontwait attempt_flag attempt_nowait attempt_rest_of_send cancel move native on_disk op_run pass perform queue_signal
	read_now write_now
	window_syscall mux_enter bind call_by_name close close_file close_file_slowly close_range do_fcntl set_flags dup2 dup3 replace
	duplicate enter_sandbox epoll_ctl execve fstat64 ioctl lock_futex poll ppoll prctl do_select setsockopt sigaction
	sigaltstack syscall transfer unshare run_off restorer_interrupting restorer_restarting'

# What takes a race, a peer that goes, the right to sample (perf_event_open(2)), or a state that the programs below have not, to come to.
seldom='copy copy_both end_samples end_second engine_shares_fds error_of_sleeper extend finish flag_same_description hand_list_to_libc has_closed
	has_first_thread has_process_fds is_cut_short is_left is_on_signal_stack is_refused is_still_its_fd keep_wait_left known lock_give lock_take mux_wait open_instance peer_is_gone start_once take_stderr'

ERRNOS=(12 24 28 5)     # ENOMEM, EMFILE, ENOSPC, EIO

setup() {
	need_program objdump addr2line perl
	cd "$BATS_TEST_TMPDIR" || return
	echo text >file
	mkdir directory
	echo text >directory/file
	"$PROGRAMS/faults" "$LIBRARY" list /dev/null true || skip "no right to trace"
}

# All system calls in libeagain.so: where each comes back to, and its function.
sites() {
	objdump -d --no-show-raw-insn "$LIBRARY" | awk '$2 == "syscall" || $2 == "svc" { sub(":", "", $1); print "0x" $1 }' |
		addr2line -a -f -i -e "$LIBRARY" | perl -ne '
			BEGIN { $size = `uname -m` =~ /x86_64/ ? 2 : 4 }
			sub show { printf "%#x %s\n", $at + $size, $name if defined $at }
			chomp;
			if (/^0x/) { show(); ($at, $n, $name, $inside) = (hex, 0, "", 1) }
			elsif (++$n % 2) { $function = $_ }
			elsif ($inside) { $name = $function; $inside = m!/shim/arch/! }
			END { show() }'
}

declare -A function_at=() injected=()

read_sites() {
	local at function

	while read -r at function; do
		function_at[$at]=$function
	done < <(sites)
	[ ${#function_at[@]} -gt 300 ]
}

is_among() {
	[[ " ${*:2} " =~ [[:space:]]$1[[:space:]] ]]
}

# outcome CMD...: what it says, and its status.
outcome() {
	local status=0

	timeout 60 "$@" </dev/null 2>&1 3>&- 4>&- || status=$?
	echo "status $status"
}

# one_fault AT N ERRNO CMD...: with this fault, CMD does what is in "native", and what there is of a trace can be read.
one_fault() {
	local status=0

	rm -rf trace
	outcome "$PROGRAMS/faults" "$LIBRARY" "$@" >out
	diff native out || { echo "${function_at[$1]} ($1), call $2, errno $3: ${*:4}"; return 1; }
	[ ! -d trace ] || "$EAGAIN" report trace >report 2>&1 || status=$?
	[ $status = 0 ] || { [ $status = 1 ] && [ "$(wc -l <report)" = 1 ]; } || { echo "status $status"; cat report; false; }
}

# faults PREFIX... -- CMD...: CMD under PREFIX with a fault in each system call that no CMD before has come to, either each time or the
# first time; or, with $ALL, in all of them, both, with each error.
faults() {
	local prefix=() n=0 at fails error call

	for (( ; $# ; )); do
		[ "$1" != -- ] || break
		prefix+=("$1")
		shift
	done
	shift
	outcome "$@" >native
	rm -rf trace
	outcome "$PROGRAMS/faults" "$LIBRARY" list list "${prefix[@]}" "$@" >out
	diff native out || { echo "no fault: $*"; return 1; }
	while read -r at _ _ fails; do
		[ -n "${function_at[$at]-}" ] || { echo "$at: no such system call"; return 1; }
		# shellcheck disable=SC2086 # several words
		! is_among "${function_at[$at]}" $makes_programs || continue
		[ "$fails" = fails ] || injected[$at]=1
		if [ "$fails" = fails ] && [ -n "${ALL-}" ]; then
			for error in "${ERRNOS[@]}"; do
				for call in 0 1; do
					# Where the kernel does not tell whose a number is, what may be the program's stays open.
					[ "${function_at[$at]}" != set_mark ] || continue
					one_fault "$at" $call "$error" "${prefix[@]}" "$@"
				done
			done
		elif [ -z "${injected[$at]-}" ]; then
			one_fault "$at" $((n % 2)) "${ERRNOS[n++ / 2 % 4]}" "${prefix[@]}" "$@"
		fi
		injected[$at]=1
	done < <(sort -u -k1,1 list)
}

all_faults() {
	local shell='echo one | cat; (exit 3); echo $?; cat <none; cat <file'
	local loop='pipe R, W; for (1 .. 3) { syswrite W, "x"; vec($r, fileno R, 1) = 1; select $s = $r, undef, undef, 1; sysread R, $x, 1;
		select undef, undef, undef, 0.02 }'

	read_sites
	faults "$EAGAIN" record -o trace -- sh -c "$shell"
	faults "$EAGAIN" record --switch=flag -o trace -- sh -c "$shell"
	faults "$EAGAIN" record --readiness -o trace -- sh -c "$shell"
	faults "$EAGAIN" record --stacks --stall=1 -o trace -- perl -e "$loop"
	faults "$EAGAIN" record --stacks -o trace -- "$PROGRAMS/load" threads 2 10
	faults "$EAGAIN" record --files -o trace -- "$PROGRAMS/files" cached
	faults "$EAGAIN" run --log=live -- sh -c "$shell"
	faults env LD_PRELOAD="$LIBRARY" EAGAIN_TRACE=trace EAGAIN_FOLLOW=0 -- sh -c "$shell"
	faults env LD_PRELOAD="$LIBRARY" EAGAIN_TRACE=trace EAGAIN_PROGRAM=cat -- sh -c "$shell"
	faults "$EAGAIN" record -o trace -- "$PROGRAMS/load" files 2 "$PWD/file" relative
	faults "$EAGAIN" record -o trace -- "$PROGRAMS/load" files 2 "$PWD/file" at
	faults "$EAGAIN" record -o trace -- "$PROGRAMS/load" files 2 directory/file at
	faults "$EAGAIN" record -o trace -- "$PROGRAMS/load" connections 2
	faults "$EAGAIN" record --readiness -o trace -- "$PROGRAMS/load" connections 2
	faults "$EAGAIN" record -o trace -- "$PROGRAMS/load" opened copies 2
	faults "$EAGAIN" record -o trace -- "$PROGRAMS/load" threads 3 400
	faults "$EAGAIN" record -o trace -- "$PROGRAMS/load" forks 2 2 10
	faults "$EAGAIN" record --readiness -o trace -- "$PROGRAMS/load" threads 2 10
	faults "$EAGAIN" run -- "$PROGRAMS/traps" transfers
	faults "$EAGAIN" run -- "$PROGRAMS/traps" exec-forms
	faults "$EAGAIN" record -o trace -- "$PROGRAMS/traps" no-tsc
	faults "$EAGAIN" record -o trace -- "$PROGRAMS/traps" nothing-of-its-own
	faults "$EAGAIN" record --switch=flag -o trace -- "$PROGRAMS/traps" own-view
	faults "$EAGAIN" record -o trace -- "$PROGRAMS/traps" shield-own
	faults "$EAGAIN" record --shield=all -o trace -- "$PROGRAMS/traps" shield-own
	faults "$EAGAIN" record --shield=all -o trace -- "$PROGRAMS/given" pipe blocking "$PROGRAMS/traps" shield-polled close_range
	faults "$EAGAIN" record --shield=all -o trace -- "$PROGRAMS/traps" kept-masks
	faults "$EAGAIN" record -o trace -- "$PROGRAMS/traps" kept-sandboxes
	faults "$EAGAIN" run -- "$PROGRAMS/traps" kept-copies
	faults "$EAGAIN" run -- "$PROGRAMS/traps" kept-sticky
	faults "$EAGAIN" record -o trace -- "$PROGRAMS/kept" 6 100
	faults "$EAGAIN" run -- "$PROGRAMS/aio" order
	faults "$EAGAIN" run -- "$PROGRAMS/aio" sandbox-in-flight
	faults "$EAGAIN" run -- "$PROGRAMS/aio" sync-file
	faults "$EAGAIN" run -- "$PROGRAMS/aio" list-signal
	faults "$EAGAIN" run -- "$PROGRAMS/aio" thread-for-one
	faults "$EAGAIN" run -- "$PROGRAMS/aio" suspend
	faults "$EAGAIN" run -- "$PROGRAMS/aio" cancel-with-notice
}

@test "each system call of the shim's own fails: the program does what it does natively" {
	all_faults
	note "${#injected[@]} of ${#function_at[@]} system calls"
	# Those that were not come to are known, so that a new one cannot be forgotten.
	printf '%s\n' "${function_at[@]}" | sort -u >functions
	for at in "${!injected[@]}"; do echo "${function_at[$at]}"; done | sort -u >reached
	# shellcheck disable=SC2086 # several words
	printf '%s\n' $makes_programs $seldom | sort >known
	comm -23 functions reached | comm -23 - known >forgotten
	comm -13 functions known >gone
	[ ! -s forgotten ] && [ ! -s gone ] || { head forgotten gone; false; }
}

# bats test_tags=all
@test "each of them in each program, with each error" {
	ALL=1
	all_faults
}
