/* SPDX-License-Identifier: GPL-2.0 */
/* Names that changed between the kernels that the helper is written for. */
#ifndef PAMT_HW_COMPAT_H
#define PAMT_HW_COMPAT_H

#include <linux/version.h>
#include <asm/msr.h>

/* 6.16 renamed the MSR accessors and moved the TSC ones to <asm/tsc.h>. */
#include <asm/tsc.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define rdmsrl_safe rdmsrq_safe
#endif

#endif
