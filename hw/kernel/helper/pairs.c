// SPDX-License-Identifier: GPL-2.0
/* The twins' SEAMCALLs: one PAMT.ADD or PAMT.REMOVE each, with its time, its event and the books. */
#include <linux/kernel.h>

#include "compat.h"
#include "twins.h"

static void pair_phys(const struct twin *t, u32 pair, phys_addr_t phys[2])
{
	u32 region = t->regions + pair / PAIRS_PER_REGION;
	u32 page = pair % PAIRS_PER_REGION * 2;

	phys[0] = pamt_hw_phys(t->s, region, page);
	phys[1] = pamt_hw_phys(t->s, region, page + 1);
}

/* Operand ids of the TDX ABI are numbers of registers. */
static u32 busy_slot(u64 status)
{
	switch (lower_32_bits(status)) {
	case 1:
		return PAMT_HW_BUSY_RCX;
	case 2:
		return PAMT_HW_BUSY_RDX;
	case 8:
		return PAMT_HW_BUSY_R8;
	default:
		return PAMT_HW_BUSY_OTHER;
	}
}

static void count_busy(u64 busy[PAMT_HW_BUSY_SLOTS], u64 status)
{
	if (pamt_hw_is_busy(status))
		busy[busy_slot(status)]++;
}

u64 pamt_hw_twin_add(struct worker *w, u32 region, u32 pair)
{
	phys_addr_t phys[2];
	u64 start, status;

	pair_phys(w->t, pair, phys);
	start = rdtsc_ordered();
	status = pamt_hw_add(w->t->s, region, phys);
	pamt_hw_record(&w->result->add, rdtsc_ordered() - start);
	pamt_hw_event(w, PAMT_HW_PAMT_ADD, region, status, 0);
	count_busy(w->result->busy_add, status);
	if (!status) {
		w->t->pair_of[region] = pair;
		w->result->pairs_added++;
	}
	return status;
}

u64 pamt_hw_twin_remove(struct worker *w, u32 region, u32 *pair)
{
	phys_addr_t phys[2], expected[2];
	u64 start = rdtsc_ordered();
	u64 status = pamt_hw_remove(w->t->s, region, phys);

	pamt_hw_record(&w->result->remove, rdtsc_ordered() - start);
	pamt_hw_event(w, PAMT_HW_PAMT_REMOVE, region, status, 0);
	count_busy(w->result->busy_remove, status);
	*pair = NO_PAIR;
	if (status)
		return status;
	pair_phys(w->t, w->t->pair_of[region], expected);
	if (phys[0] == expected[0] && phys[1] == expected[1])
		*pair = w->t->pair_of[region];
	w->t->pair_of[region] = NO_PAIR;
	w->result->pairs_removed++;
	return 0;
}
