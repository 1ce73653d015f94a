/* SPDX-License-Identifier: GPL-2.0 */
/* A small model of the TDX module's Dynamic PAMT: PAMT.ADD, PAMT.REMOVE, PAGE.RDMD, SYS.RD. */
#ifndef PAMT_MODEL_H
#define PAMT_MODEL_H

#include <linux/types.h>

struct seam_regs {
	u64 rax, rcx, rdx, r8, r9, r10, r11;
};

int pamt_model_init(void);
void pamt_model_exit(void);

/* Executes the leaf in RAX. Runs with interrupts off, in a trap handler, on several CPUs at once. */
void pamt_model_call(struct seam_regs *regs);

/* What fault injection and the tests read and write; see the parameters in seam_emu.c. */
extern bool pamt_model_dynamic;
extern unsigned int pamt_model_busy_permille;
extern unsigned int pamt_model_fail_remove_permille;
extern unsigned int pamt_model_slow_us;

long pamt_model_pairs(void);
long pamt_model_busy(void);
long pamt_model_calls(void);
long pamt_model_wrong(void);

#endif
