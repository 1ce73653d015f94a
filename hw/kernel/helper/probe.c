// SPDX-License-Identifier: GPL-2.0
/* What this machine says about TDX. Reads only, apart from one PAMT.REMOVE that must fail. */
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/mutex.h>
#include <asm/cpufeature.h>

#include "compat.h"
#include "internal.h"

#define MSR_MTRRCAP		0xfe
#define MSR_KEYID_PARTITIONING	0x87

/* Metadata field ids of TDH.SYS.RD. */
#define FIELD_MODULE_MINOR	0x0800000100000003ULL
#define FIELD_MODULE_MAJOR	0x0800000100000004ULL
#define FIELD_MODULE_UPDATE	0x0800000100000005ULL
#define FIELD_TDX_FEATURES0	0x0a00000300000008ULL

#define FEATURES0_DYNAMIC_PAMT	BIT_ULL(36)

static u64 sys_rd(u64 field, u64 *value)
{
	struct seam_regs regs = { .rdx = field };
	u64 status = pamt_hw_seamcall(PAMT_HW_SYS_RD, &regs);

	*value = status ? 0 : regs.r8;
	return status;
}

static u32 sys_rd32(u64 field)
{
	u64 value;

	sys_rd(field, &value);
	return value;
}

/*
 * Whether Dynamic PAMT is on is not a metadata field. PAMT.REMOVE of a region that has no pair (one
 * that is allocated here and never given away) fails either way, with a different status:
 * NO_PAMT_PAGE_PAIR when it is on, OPERAND_INVALID of RAX when it is off. The region is kept until the
 * module is unloaded, so that a probe costs no allocation.
 */
static DEFINE_MUTEX(empty_region_lock);
static struct page *empty_region;

static u64 remove_nothing(void)
{
	struct seam_regs regs = { };

	mutex_lock(&empty_region_lock);
	if (!empty_region)
		empty_region = alloc_pages(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY, REGION_ORDER);
	mutex_unlock(&empty_region_lock);
	if (!empty_region)
		return PAMT_HW_SW_ERROR;
	regs.rcx = page_to_phys(empty_region) | 1;
	return pamt_hw_seamcall(PAMT_HW_PAMT_REMOVE, &regs);
}

void pamt_hw_probe_exit(void)
{
	if (empty_region)
		__free_pages(empty_region, REGION_ORDER);
}

static void probe_module(struct pamt_hw_probe *p)
{
	p->seamcall_status = sys_rd(FIELD_TDX_FEATURES0, &p->features0);
	if (p->seamcall_status)
		return;
	p->flags |= PAMT_HW_F_MODULE;
	p->module_major = sys_rd32(FIELD_MODULE_MAJOR);
	p->module_minor = sys_rd32(FIELD_MODULE_MINOR);
	p->module_update = sys_rd32(FIELD_MODULE_UPDATE);
	if (!(p->features0 & FEATURES0_DYNAMIC_PAMT))
		return;
	p->flags |= PAMT_HW_F_DPAMT_FEATURE;
	p->dpamt_status = remove_nothing();
	if ((p->dpamt_status & TDX_STATUS_MASK) == TDX_NO_PAMT_PAGE_PAIR)
		p->flags |= PAMT_HW_F_DPAMT_ON;
}

void pamt_hw_probe(struct pamt_hw_probe *p)
{
	u64 value;

	*p = (struct pamt_hw_probe){ .abi_version = PAMT_HW_ABI_VERSION };
	if (boot_cpu_has(X86_FEATURE_HYPERVISOR))
		p->flags |= PAMT_HW_F_HYPERVISOR;
	if (boot_cpu_has(X86_FEATURE_MOVDIR64B))
		p->flags |= PAMT_HW_F_MOVDIR64B;
	if (!rdmsrl_safe(MSR_MTRRCAP, &value) && value & BIT(15))
		p->flags |= PAMT_HW_F_SEAMRR;
	if (!rdmsrl_safe(MSR_KEYID_PARTITIONING, &value))
		p->tdx_key_ids = value >> 32;
	p->tsc_khz = tsc_khz;
	p->max_regions = pamt_hw_max_regions;
	p->pinned_regions = pamt_hw_pinned_regions();
	p->online_cpus = num_online_cpus();
	probe_module(p);
}
