/* x86_64.S - the window and the restorers: the two places where a signal must meet known instructions (signals.h); and what may
 * leave nothing on the stack.  */

/* long window_syscall(const struct window *)
 * rdi: the window.  From window_begin to window_end the code can be started again at any point: it reads all it needs from
 * the window in rbx.  When the kernel restarts the call after an SA_RESTART handler, the interrupted pc is that of the
 * syscall instruction, which lies inside.  */
	.text
	.globl window_syscall, window_begin, window_end
	.hidden window_syscall, window_begin, window_end
	.type window_syscall, @function
window_syscall:
	.cfi_startproc
	push %rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	mov %rdi, %rbx
window_begin:
	mov 56(%rbx), %rcx              /* counter */
	mov (%rcx), %eax
	cmp 64(%rbx), %eax              /* seen */
	jne 1f
	mov 8(%rbx), %rdi
	mov 16(%rbx), %rsi
	mov 24(%rbx), %rdx
	mov 32(%rbx), %r10
	mov 40(%rbx), %r8
	mov 48(%rbx), %r9
	mov (%rbx), %rax
	syscall
window_end:
	pop %rbx
	.cfi_remember_state
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	ret
1:	.cfi_restore_state
	mov $-4097, %rax                /* WINDOW_NOT_ENTERED; not by window_end: that is the kernel's */
	pop %rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	ret
	.cfi_endproc
	.size window_syscall, . - window_syscall

/* The restorers: where a handler returns to, with rsp at the ucontext that the kernel left (struct rt_sigframe without its
 * return address).  They tell signal_returned() and go on with rt_sigreturn(2).  The unwinding rules say where in the
 * ucontext each register lies, as libc's own restorer does; the nop before each is there because an unwinder looks up the
 * address before the one that a call returns to.  */
	.macro saved_at register, offset
	.cfi_escape 0x10, \register, 3, 0x77, (\offset & 0x7f) | 0x80, \offset >> 7
	.endm

	.macro restorer name, interrupts
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_escape 0x0f, 4, 0x77, 0xa0, 0x01, 0x06     /* CFA = *(rsp + 160): the interrupted rsp */
	saved_at 0, 144
	saved_at 1, 136
	saved_at 2, 152
	saved_at 3, 128
	saved_at 4, 112
	saved_at 5, 104
	saved_at 6, 120
	saved_at 7, 160
	saved_at 8, 40
	saved_at 9, 48
	saved_at 10, 56
	saved_at 11, 64
	saved_at 12, 72
	saved_at 13, 80
	saved_at 14, 88
	saved_at 15, 96
	saved_at 16, 168
	nop
	.globl \name
	.hidden \name
	.type \name, @function
\name:
	mov %rsp, %rdi
	mov $\interrupts, %esi
	mov %rsp, %rbx
	and $-16, %rsp
	call signal_returned
	mov %rbx, %rsp
	mov $15, %eax                   /* __NR_rt_sigreturn */
	syscall
	.cfi_endproc
	.size \name, . - \name
	.endm

	.hidden signal_returned
	restorer restorer_restarting, 0
	restorer restorer_interrupting, 1

/* pid_t vfork(void); int clone(int (*)(void *), void *, int, void *, ...)
 * vfork(2) returns twice on one stack: nothing of ours may be there when it is called.  So both are noted, and go on as libc's.  */
	.macro noted name, target
	.globl \name
	.type \name, @function
	.hidden \target
\name:
	.cfi_startproc
	.irp register, rdi, rsi, rdx, rcx, r8, r9
	push %\register
	.cfi_adjust_cfa_offset 8
	.endr
	sub $8, %rsp
	.cfi_adjust_cfa_offset 8
	call \target
	add $8, %rsp
	.cfi_adjust_cfa_offset -8
	.irp register, r9, r8, rcx, rdx, rsi, rdi
	pop %\register
	.cfi_adjust_cfa_offset -8
	.endr
	jmp *%rax
	.cfi_endproc
	.size \name, . - \name
	.endm

	noted vfork, process_vforks
	noted __vfork, process_vforks
	noted clone, process_clones
	noted __clone, process_clones

	.section .note.GNU-stack, "", @progbits
