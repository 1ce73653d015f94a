// SPDX-License-Identifier: GPL-2.0
/*
 * SEAM emulator, for test guests only. On a CPU without TDX the SEAMCALL instruction raises #UD, and in
 * kernel mode the trap goes to the die notifiers before the exception table. This module recognises the
 * four bytes at the faulting address, plays the TDX module in software, steps over the instruction and
 * stops the notification: the helper's own path runs unchanged. Anything else it leaves alone.
 *
 * It refuses to load outside a virtual machine. Its timings mean nothing.
 */
#include <linux/kdebug.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/processor-flags.h>
#include <asm/ptrace.h>
#include <asm/trapnr.h>

#include "pamt_model.h"

#define SEAMCALL_BYTES	4

static bool decline;
module_param(decline, bool, 0644);
MODULE_PARM_DESC(decline, "leave every #UD alone, as if not loaded");

static bool vmfail;
module_param(vmfail, bool, 0644);
MODULE_PARM_DESC(vmfail, "answer with CF set, as a CPU whose TDX module is not loaded");

module_param_named(dynamic_pamt, pamt_model_dynamic, bool, 0644);
MODULE_PARM_DESC(dynamic_pamt, "Dynamic PAMT was enabled at SYS.CONFIG");
module_param_named(busy_permille, pamt_model_busy_permille, uint, 0644);
MODULE_PARM_DESC(busy_permille, "share of ADDs and REMOVEs that find their target busy");
module_param_named(fail_remove_permille, pamt_model_fail_remove_permille, uint, 0644);
MODULE_PARM_DESC(fail_remove_permille, "share of REMOVEs that find the pair in use");
module_param_named(slow_us, pamt_model_slow_us, uint, 0644);
MODULE_PARM_DESC(slow_us, "microseconds added to every SEAMCALL");

/* Read-only counters, as parameters: no debugfs is needed. */
#define COUNTER(name)								\
static int name##_get(char *buffer, const struct kernel_param *kp)		\
{										\
	return sysfs_emit(buffer, "%ld\n", pamt_model_##name());		\
}										\
static const struct kernel_param_ops name##_ops = { .get = name##_get };	\
module_param_cb(name, &name##_ops, NULL, 0444)

COUNTER(calls);
COUNTER(busy);
COUNTER(pairs);
COUNTER(wrong);

static bool is_seamcall(unsigned long ip)
{
	static const u8 seamcall[SEAMCALL_BYTES] = { 0x66, 0x0f, 0x01, 0xcf };
	u8 bytes[SEAMCALL_BYTES];

	if (copy_from_kernel_nofault(bytes, (void *)ip, sizeof(bytes)))
		return false;
	return !memcmp(bytes, seamcall, sizeof(bytes));
}

static void emulate(struct pt_regs *regs)
{
	struct seam_regs r = {
		.rax = regs->ax, .rcx = regs->cx, .rdx = regs->dx, .r8 = regs->r8,
		.r9 = regs->r9, .r10 = regs->r10, .r11 = regs->r11,
	};

	if (vmfail) {
		regs->flags |= X86_EFLAGS_CF;
		return;
	}
	pamt_model_call(&r);
	regs->ax = r.rax;
	regs->cx = r.rcx;
	regs->dx = r.rdx;
	regs->r8 = r.r8;
	regs->r9 = r.r9;
	regs->r10 = r.r10;
	regs->r11 = r.r11;
	regs->flags &= ~X86_EFLAGS_CF;
}

static int on_die(struct notifier_block *block, unsigned long event, void *data)
{
	struct die_args *args = data;

	if (event != DIE_TRAP || args->trapnr != X86_TRAP_UD || user_mode(args->regs))
		return NOTIFY_DONE;
	if (READ_ONCE(decline) || !is_seamcall(args->regs->ip))
		return NOTIFY_DONE;
	emulate(args->regs);
	args->regs->ip += SEAMCALL_BYTES;
	return NOTIFY_STOP;
}

static struct notifier_block die_block = { .notifier_call = on_die };

static int __init seam_emu_init(void)
{
	int error;

	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR)) {
		pr_err("pamt_seam_emu: for test guests only, this is not a virtual machine\n");
		return -EPERM;
	}
	error = pamt_model_init();
	if (error)
		return error;
	error = register_die_notifier(&die_block);
	if (error)
		pamt_model_exit();
	return error;
}

static void __exit seam_emu_exit(void)
{
	/* An atomic notifier chain: no handler runs any more when this returns. */
	unregister_die_notifier(&die_block);
	pamt_model_exit();
}

module_init(seam_emu_init);
module_exit(seam_emu_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("TDX module emulator for the tests of pamt_hw");
