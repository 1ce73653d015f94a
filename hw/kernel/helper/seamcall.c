// SPDX-License-Identifier: GPL-2.0
/*
 * The SEAMCALL instruction itself. No exported wrapper of the kernel is used: distribution kernels
 * without CONFIG_INTEL_TDX_HOST have none, and those that have one check for their own set-up first.
 */
#include <linux/preempt.h>
#include <asm/asm.h>
#include <asm/extable.h>

#include "internal.h"

/*
 * RAX carries the leaf in and the status out. A fault is caught by the exception table, whose fixup
 * leaves the trap number in RAX. CF set means VMfailInvalid. The caller may run anywhere: the module
 * keeps no state of a logical processor for the leaves that the helper makes, and the instruction is
 * one instruction. Preemption is off so that a caller's TSC reads stay on one CPU.
 */
u64 pamt_hw_seamcall(u64 leaf, struct seam_regs *regs)
{
	register u64 r8 asm("r8") = regs->r8;
	register u64 r9 asm("r9") = regs->r9;
	register u64 r10 asm("r10") = regs->r10;
	register u64 r11 asm("r11") = regs->r11;
	u64 rcx = regs->rcx;
	u64 rdx = regs->rdx;
	u64 rax = leaf;
	u32 fault = 1;
	u32 carry = 0;

	preempt_disable();
	asm volatile("1:	.byte 0x66, 0x0f, 0x01, 0xcf\n"
		     "	setc	%b[carry]\n"
		     "	movl	$0, %[fault]\n"
		     "2:\n"
		     _ASM_EXTABLE_FAULT(1b, 2b)
		     : "+a" (rax), "+c" (rcx), "+d" (rdx), "+r" (r8), "+r" (r9),
		       "+r" (r10), "+r" (r11), [carry] "+&r" (carry), [fault] "+&r" (fault)
		     :
		     : "cc", "memory");
	preempt_enable();

	regs->rcx = rcx;
	regs->rdx = rdx;
	regs->r8 = r8;
	regs->r9 = r9;
	regs->r10 = r10;
	regs->r11 = r11;
	if (fault)
		return PAMT_HW_SW_ERROR | rax;
	if (carry)
		return PAMT_HW_SEAMCALL_VMFAIL;
	return rax;
}
