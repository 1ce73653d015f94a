// SPDX-License-Identifier: GPL-2.0
/*
 * Single leaves and batches. The allow-list is here: two leaves that move page pairs, two that read.
 */
#include <linux/preempt.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "internal.h"

static bool valid_page(const struct session *s, const struct pamt_hw_page *p)
{
	return p->region < s->count && p->page < PAGES_PER_REGION;
}

static bool is_zero(const struct pamt_hw_page *p)
{
	return !p->region && !p->page;
}

/* EINVAL unless every operand that this leaf uses is valid and every other is 0. */
static int check(const struct session *s, const struct pamt_hw_leaf *l)
{
	bool add = l->leaf == PAMT_HW_PAMT_ADD;
	bool rdmd = l->leaf == PAMT_HW_PAGE_RDMD;
	bool sys_rd = l->leaf == PAMT_HW_SYS_RD;

	if (!add && !rdmd && !sys_rd && l->leaf != PAMT_HW_PAMT_REMOVE)
		return -EOPNOTSUPP;
	if (l->flags || l->reserved || l->level > (rdmd ? 2 : 0) || (l->field && !sys_rd))
		return -EINVAL;
	if (sys_rd ? !is_zero(&l->target) : !valid_page(s, &l->target))
		return -EINVAL;
	if (add)
		return valid_page(s, &l->pair[0]) && valid_page(s, &l->pair[1]) ? 0 : -EINVAL;
	return is_zero(&l->pair[0]) && is_zero(&l->pair[1]) ? 0 : -EINVAL;
}

static void load(struct session *s, const struct pamt_hw_leaf *l, struct seam_regs *regs)
{
	phys_addr_t target;

	if (l->leaf == PAMT_HW_SYS_RD) {
		regs->rdx = l->field;
		return;
	}
	target = pamt_hw_phys(s, l->target.region, 0);
	if (l->leaf == PAMT_HW_PAGE_RDMD) {
		/* The operand is aligned to the level that is asked for. */
		if (l->level == 0)
			target += (phys_addr_t)l->target.page * PAGE_SIZE;
		else if (l->level == 2)
			target &= ~((phys_addr_t)SZ_1G - 1);
		regs->rcx = target | l->level;
		return;
	}
	regs->rcx = target | 1;
	if (l->leaf == PAMT_HW_PAMT_ADD) {
		regs->rdx = pamt_hw_phys(s, l->pair[0].region, l->pair[0].page);
		regs->r8 = pamt_hw_phys(s, l->pair[1].region, l->pair[1].page);
	}
}

/* Non-leaf entry: RDMD returned the pair in R10 and R11. */
#define RDMD_NON_LEAF	BIT_ULL(63)

static void store(struct session *s, struct pamt_hw_leaf *l, const struct seam_regs *regs)
{
	if (l->status)
		return;
	switch (l->leaf) {
	case PAMT_HW_PAMT_ADD:
		atomic_inc(&s->regions[l->target.region].pairs);
		break;
	case PAMT_HW_PAMT_REMOVE:
		atomic_dec(&s->regions[l->target.region].pairs);
		l->pair[0] = pamt_hw_page_of(s, regs->rdx);
		l->pair[1] = pamt_hw_page_of(s, regs->r8);
		break;
	case PAMT_HW_PAGE_RDMD:
		l->value = regs->rcx;
		if (l->level == 1 && (regs->rcx & RDMD_NON_LEAF)) {
			l->pair[0] = pamt_hw_page_of(s, regs->r10);
			l->pair[1] = pamt_hw_page_of(s, regs->r11);
		}
		break;
	case PAMT_HW_SYS_RD:
		l->value = regs->r8;
		break;
	}
}

int pamt_hw_leaf(struct session *s, struct pamt_hw_leaf *l)
{
	struct seam_regs regs = { };
	int error = check(s, l);

	if (error)
		return error;
	load(s, l, &regs);
	l->value = 0;
	preempt_disable();
	l->tsc_start = rdtsc_ordered();
	l->status = pamt_hw_seamcall(l->leaf, &regs);
	l->tsc_end = rdtsc_ordered();
	preempt_enable();
	store(s, l, &regs);
	return 0;
}

int pamt_hw_batch(struct session *s, struct pamt_hw_batch *batch)
{
	struct pamt_hw_leaf __user *entries = u64_to_user_ptr(batch->entries);
	struct pamt_hw_leaf leaf;
	int error;

	if (batch->reserved || batch->flags & ~PAMT_HW_BATCH_STOP || batch->done)
		return -EINVAL;
	if (!batch->count || batch->count > PAMT_HW_BATCH_MAX)
		return -EINVAL;
	while (batch->done < batch->count) {
		if (copy_from_user(&leaf, entries + batch->done, sizeof(leaf)))
			return -EFAULT;
		error = pamt_hw_leaf(s, &leaf);
		if (error)
			return error;
		if (copy_to_user(entries + batch->done, &leaf, sizeof(leaf)))
			return -EFAULT;
		batch->done++;
		if (batch->flags & PAMT_HW_BATCH_STOP && (s64)leaf.status < 0)
			break;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return 0;
}
