// SPDX-License-Identifier: GPL-2.0
/*
 * Test guests only: makes the #UD of a SEAMCALL look like a #GP. For a #GP the kernel consults the
 * exception table first, so the die notifier is of no use; a kprobe on fixup_exception() that changes
 * its trap number does it. The helper must then report "#GP", not "#UD".
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/ptrace.h>
#include <asm/trapnr.h>

static int pre_handler(struct kprobe *probe, struct pt_regs *regs)
{
	/* fixup_exception(struct pt_regs *regs, int trapnr, ...) */
	struct pt_regs *faulting = (struct pt_regs *)regs->di;
	static const u8 seamcall[4] = { 0x66, 0x0f, 0x01, 0xcf };
	u8 bytes[4];

	if (regs->si != X86_TRAP_UD)
		return 0;
	if (copy_from_kernel_nofault(bytes, (void *)faulting->ip, sizeof(bytes)))
		return 0;
	if (!memcmp(bytes, seamcall, sizeof(bytes)))
		regs->si = X86_TRAP_GP;
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "fixup_exception",
	.pre_handler = pre_handler,
};

static int __init gp_probe_init(void)
{
	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return -EPERM;
	return register_kprobe(&probe);
}

static void __exit gp_probe_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(gp_probe_init);
module_exit(gp_probe_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("turns the #UD of a SEAMCALL into a #GP, for the tests of pamt_hw");
