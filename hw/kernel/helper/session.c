// SPDX-License-Identifier: GPL-2.0
/*
 * Regions: whole, aligned 2 MiB chunks of memory that the helper owns while a file is open. Targets
 * and backing pages of PAMT.ADD lie in them and nowhere else, so no SEAMCALL of this helper takes a
 * lock on a 2M entry that the host's own KVM uses.
 *
 * At the end every pair is taken back. If one cannot be, the module still owns its pages: the regions
 * of that file stay allocated until the machine restarts, and the kernel log says so.
 */
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/moduleparam.h>
#include <linux/nodemask.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>
#include <asm/cpufeature.h>

#include "internal.h"

#define REMOVE_ATTEMPTS	1000

unsigned int pamt_hw_max_regions = 256;
module_param_named(max_regions, pamt_hw_max_regions, uint, 0444);
MODULE_PARM_DESC(max_regions, "2 MiB regions that all users together may hold (default 256)");

/* Regions in use, of all files. */
static atomic_t regions_in_use = ATOMIC_INIT(0);
static atomic_t regions_pinned = ATOMIC_INIT(0);

static int pinned_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%u\n", pamt_hw_pinned_regions());
}

static const struct kernel_param_ops pinned_ops = { .get = pinned_get };
module_param_cb(pinned_regions, &pinned_ops, NULL, 0444);
MODULE_PARM_DESC(pinned_regions, "2 MiB regions that the module would not give back");

u32 pamt_hw_pinned_regions(void)
{
	return atomic_read(&regions_pinned);
}

struct session *pamt_hw_session_new(void)
{
	struct session *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	init_rwsem(&s->lock);
	s->capacity = pamt_hw_max_regions;
	s->regions = vzalloc(array_size(s->capacity, sizeof(*s->regions)));
	if (!s->regions) {
		kfree(s);
		return NULL;
	}
	return s;
}

static bool reserve(u32 count)
{
	int old = atomic_read(&regions_in_use);

	do {
		if (count > pamt_hw_max_regions - (u32)old)
			return false;
	} while (!atomic_try_cmpxchg(&regions_in_use, &old, old + (int)count));
	return true;
}

static struct page *alloc_region(int node)
{
	return alloc_pages_node(node, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY,
				REGION_ORDER);
}

int pamt_hw_session_alloc(struct session *s, struct pamt_hw_alloc *arg)
{
	u32 first = s->count;
	u32 i;

	if (arg->flags || arg->reserved || !arg->count)
		return -EINVAL;
	if (arg->node != NUMA_NO_NODE &&
	    (arg->node < 0 || arg->node >= MAX_NUMNODES || !node_online(arg->node)))
		return -EINVAL;
	if (arg->count > s->capacity - s->count || !reserve(arg->count))
		return -ENOSPC;
	for (i = 0; i < arg->count; i++) {
		struct page *page = alloc_region(arg->node);

		if (!page)
			goto undo;
		s->regions[first + i].page = page;
		atomic_set(&s->regions[first + i].pairs, 0);
		cond_resched();
	}
	s->count += arg->count;
	arg->first = first;
	arg->total = s->count;
	return 0;
undo:
	while (i--)
		__free_pages(s->regions[first + i].page, REGION_ORDER);
	atomic_sub(arg->count, &regions_in_use);
	return -ENOMEM;
}

phys_addr_t pamt_hw_phys(struct session *s, u32 region, u32 page)
{
	return page_to_phys(s->regions[region].page) + (phys_addr_t)page * PAGE_SIZE;
}

struct pamt_hw_page pamt_hw_page_of(struct session *s, phys_addr_t phys)
{
	struct pamt_hw_page foreign = { PAMT_HW_FOREIGN, PAMT_HW_FOREIGN };
	u32 i;

	for (i = 0; i < s->count; i++) {
		phys_addr_t base = pamt_hw_phys(s, i, 0);

		if (phys >= base && phys - base < (phys_addr_t)PAGES_PER_REGION * PAGE_SIZE)
			return (struct pamt_hw_page){ i, (phys - base) >> PAGE_SHIFT };
	}
	return foreign;
}

u64 pamt_hw_add(struct session *s, u32 region, const phys_addr_t pair[2])
{
	struct seam_regs regs = {
		.rcx = pamt_hw_phys(s, region, 0) | 1,
		.rdx = pair[0],
		.r8 = pair[1],
	};
	u64 status = pamt_hw_seamcall(PAMT_HW_PAMT_ADD, &regs);

	if (!status)
		atomic_inc(&s->regions[region].pairs);
	return status;
}

u64 pamt_hw_remove(struct session *s, u32 region, phys_addr_t pair[2])
{
	struct seam_regs regs = { .rcx = pamt_hw_phys(s, region, 0) | 1 };
	u64 status = pamt_hw_seamcall(PAMT_HW_PAMT_REMOVE, &regs);

	if (!status) {
		atomic_dec(&s->regions[region].pairs);
		pair[0] = regs.rdx;
		pair[1] = regs.r8;
	}
	return status;
}

/* True when the module holds no pair of this region any more. */
static bool take_back(struct session *s, u32 region)
{
	phys_addr_t pair[2];
	int attempt;

	if (!atomic_read(&s->regions[region].pairs))
		return true;
	for (attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++) {
		u64 status = pamt_hw_remove(s, region, pair);

		if (!status || (status & TDX_STATUS_MASK) == TDX_NO_PAMT_PAGE_PAIR)
			return true;
		if ((status & TDX_STATUS_MASK) != TDX_OPERAND_BUSY)
			return false;
		usleep_range(10, 20);
	}
	return false;
}

static void movdir64b_line(u8 *to, const u8 *from)
{
	/* MOVDIR64B RAX, [RDX]; the kernel's wrapper changed its type between 6.1 and 6.12. */
	asm volatile(".byte 0x66, 0x0f, 0x38, 0xf8, 0x02"
		     : "+m" (*(u8 (*)[64])to)
		     : "a" (to), "d" (from), "m" (*(const u8 (*)[64])from));
}

/*
 * Backing pages were written under the module's key. Where a partial write to such a line poisons it
 * (erratum of SPR and EMR) they must be overwritten by whole lines before anyone else uses them.
 */
static void reset_region(struct page *page)
{
	static const u8 zeroes[64] __aligned(64);
	u8 *line = page_address(page);
	u8 *end = line + (size_t)PAGES_PER_REGION * PAGE_SIZE;

	if (!boot_cpu_has(X86_FEATURE_MOVDIR64B))
		return;
	for (; line < end; line += sizeof(zeroes))
		movdir64b_line(line, zeroes);
	mb(); /* MOVDIR64B is weakly ordered: it must reach memory before the page is reused */
}

void pamt_hw_session_free(struct session *s)
{
	u32 stuck = 0;
	u32 i;

	for (i = 0; i < s->count; i++) {
		if (!take_back(s, i))
			stuck++;
		cond_resched();
	}
	if (stuck) {
		/* Any of the others may hold the stuck pairs' backing pages. */
		atomic_add(s->count, &regions_pinned);
		pr_warn("pamt_hw: the TDX module keeps the PAMT pairs of %u regions; %u regions stay pinned until restart\n",
			stuck, s->count);
		s->count = 0;
		return;
	}
	for (i = 0; i < s->count; i++) {
		reset_region(s->regions[i].page);
		__free_pages(s->regions[i].page, REGION_ORDER);
		cond_resched();
	}
	atomic_sub(s->count, &regions_in_use);
	s->count = 0;
}

void pamt_hw_session_release(struct session *s)
{
	pamt_hw_session_free(s);
	vfree(s->regions);
	kfree(s);
}
