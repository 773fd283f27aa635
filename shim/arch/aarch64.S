/* aarch64.S - the window and the restorers: the two places where a signal must meet known instructions (signals.h); and what may
 * leave nothing on the stack.  */

/* long window_syscall(const struct window *)
 * x0: the window.  From window_begin to window_end the code can be started again at any point: it reads all it needs from
 * the window in x19.  When the kernel restarts the call after an SA_RESTART handler, the interrupted pc is that of the svc
 * instruction, which lies inside.  */
	.text
	.globl window_syscall, window_begin, window_end
	.hidden window_syscall, window_begin, window_end
	.type window_syscall, %function
window_syscall:
	.cfi_startproc
	str x19, [sp, #-16]!
	.cfi_adjust_cfa_offset 16
	.cfi_rel_offset x19, 0
	mov x19, x0
window_begin:
	ldr x9, [x19, #56]              /* counter */
	ldr w9, [x9]
	ldr w10, [x19, #64]             /* seen */
	cmp w9, w10
	b.ne 1f
	ldr x8, [x19]
	ldp x0, x1, [x19, #8]
	ldp x2, x3, [x19, #24]
	ldp x4, x5, [x19, #40]
	svc #0
window_end:
	ldr x19, [sp], #16
	.cfi_remember_state
	.cfi_adjust_cfa_offset -16
	.cfi_restore x19
	ret
1:	.cfi_restore_state
	mov x0, #-4097                  /* WINDOW_NOT_ENTERED; not by window_end: that is the kernel's */
	ldr x19, [sp], #16
	.cfi_adjust_cfa_offset -16
	.cfi_restore x19
	ret
	.cfi_endproc
	.size window_syscall, . - window_syscall

/* The restorers: where a handler returns to, with sp at the struct rt_sigframe (siginfo: 128 bytes, then the ucontext, in
 * which uc_mcontext is at 176 and its regs[] at 8).  They tell signal_returned() and go on with rt_sigreturn(2).  The
 * unwinding rules name the registers that a caller may rely on; column 96 stands for the interrupted pc, as in the vDSO.  */
	.macro saved_at register, offset
	.cfi_escape 0x10, \register, 3, 0x8f, (\offset & 0x7f) | 0x80, \offset >> 7
	.endm

	.macro restorer name, interrupts
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_return_column 96
	.cfi_escape 0x0f, 4, 0x8f, 0xb0, 0x04, 0x06     /* CFA = *(sp + 560): the interrupted sp */
	saved_at 19, 464
	saved_at 20, 472
	saved_at 21, 480
	saved_at 22, 488
	saved_at 23, 496
	saved_at 24, 504
	saved_at 25, 512
	saved_at 26, 520
	saved_at 27, 528
	saved_at 28, 536
	saved_at 29, 544
	saved_at 30, 552
	saved_at 96, 568
	nop
	.globl \name
	.hidden \name
	.type \name, %function
\name:
	add x0, sp, #128
	mov w1, #\interrupts
	bl signal_returned
	mov x8, #139                    /* __NR_rt_sigreturn */
	svc #0
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
	.type \name, %function
	.hidden \target
\name:
	.cfi_startproc
	stp x29, x30, [sp, #-80]!
	.cfi_adjust_cfa_offset 80
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	stp x0, x1, [sp, #16]
	stp x2, x3, [sp, #32]
	stp x4, x5, [sp, #48]
	stp x6, x7, [sp, #64]
	bl \target
	mov x16, x0
	ldp x0, x1, [sp, #16]
	ldp x2, x3, [sp, #32]
	ldp x4, x5, [sp, #48]
	ldp x6, x7, [sp, #64]
	ldp x29, x30, [sp], #80
	.cfi_adjust_cfa_offset -80
	.cfi_restore x29
	.cfi_restore x30
	br x16
	.cfi_endproc
	.size \name, . - \name
	.endm

	noted vfork, process_vforks
	noted __vfork, process_vforks
	noted clone, process_clones
	noted __clone, process_clones

	.section .note.GNU-stack, "", %progbits
