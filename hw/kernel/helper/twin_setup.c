// SPDX-License-Identifier: GPL-2.0
/* Setting a C twin up from what userspace asks for; its histogram and its list of events. */
#include <linux/bitops.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/nodemask.h>
#include <linux/vmalloc.h>

#include "twins.h"

static int check_strategy(const struct twin_args *args)
{
	const struct strategy *strategy;

	if (args->strategy >= PAMT_HW_STRATEGIES)
		return -EINVAL;
	strategy = &pamt_hw_strategies[args->strategy];
	if (args->flags & ~PAMT_HW_COVER || args->retries > PAMT_HW_MAX_RETRIES)
		return -EINVAL;
	if (!strategy->finer && (args->flags || args->retries))
		return -EINVAL;
	if (args->park > PAMT_HW_MAX_PARK || (args->park && !strategy->parks))
		return -EINVAL;
	if (!strategy->striped)
		return args->stripes ? -EINVAL : 0;
	if (!is_power_of_2(args->stripes) || args->stripes > PAMT_HW_MAX_STRIPES)
		return -EINVAL;
	return 0;
}

/*
 * A region that carries a pair from before (by single leaves, or a run whose REMOVEs failed) is
 * refused: its refcount would start wrong.
 */
static int check_regions(const struct session *s, const struct twin_args *args)
{
	u32 i;

	if (!args->regions || !args->backing)
		return -EINVAL;
	if (args->regions > s->count || args->backing > s->count - args->regions)
		return -EINVAL;
	/* Every region may hold a pair and every worker a stash of them. */
	if (args->backing * PAIRS_PER_REGION < args->regions + args->threads * STASH_PAIRS)
		return -ENOSPC;
	for (i = 0; i < args->regions + args->backing; i++)
		if (atomic_read(&s->regions[i].pairs))
			return -EBUSY;
	return 0;
}

static int alloc_locks(struct twin *t)
{
	u32 i;

	t->locks = vmalloc(array_size(t->stripes, sizeof(*t->locks)));
	if (!t->locks)
		return -ENOMEM;
	for (i = 0; i < t->stripes; i++)
		spin_lock_init(&t->locks[i].lock);
	return 0;
}

static int alloc_nodes(struct twin *t)
{
	u32 i;

	t->nodes = vmalloc(array_size(nr_node_ids, sizeof(*t->nodes)));
	if (!t->nodes)
		return -ENOMEM;
	t->node_count = nr_node_ids;
	for (i = 0; i < t->node_count; i++)
		rwlock_init(&t->nodes[i].lock);
	return 0;
}

static int alloc_all(struct twin *t, u32 strategy)
{
	/* Backing regions have a count, too, for its lock bit; one more makes whole longs. */
	u32 counts = t->regions + t->backing + 1;
	u32 i;

	t->refcounts = vzalloc(array_size(counts, sizeof(*t->refcounts)));
	t->pair_of = vmalloc(array_size(t->regions, sizeof(*t->pair_of)));
	if (!t->refcounts || !t->pair_of)
		return -ENOMEM;
	for (i = 0; i < t->regions; i++)
		t->pair_of[i] = NO_PAIR;
	if (strategy == PAMT_HW_PARKED ? alloc_nodes(t) : strategy != PAMT_HW_PER_2M && alloc_locks(t))
		return -ENOMEM;
	return pamt_hw_pool_init(&t->pool, t->backing * PAIRS_PER_REGION);
}

int pamt_hw_twin_init(struct twin *t, struct session *s, const struct twin_args *args)
{
	int error = check_strategy(args);

	if (!error)
		error = check_regions(s, args);
	if (error)
		return error;
	*t = (struct twin){
		.s = s,
		.strategy = &pamt_hw_strategies[args->strategy],
		.regions = args->regions,
		.backing = args->backing,
		.stripes = args->stripes ?: 1,
		.retries = args->retries,
		.park = args->park,
		.cover = args->flags & PAMT_HW_COVER,
	};
	error = alloc_all(t, args->strategy);
	if (error)
		pamt_hw_twin_destroy(t);
	return error;
}

void pamt_hw_twin_destroy(struct twin *t)
{
	pamt_hw_pool_destroy(&t->pool);
	vfree(t->nodes);
	vfree(t->locks);
	vfree(t->pair_of);
	vfree(t->refcounts);
}

static u32 bucket_of(u64 v)
{
	u32 e;

	if (v < 32)
		return v;
	e = fls64(v) - 1;
	return 32 * (e - 4) + ((v >> (e - 5)) & 31);
}

void pamt_hw_record(struct pamt_hw_histogram *h, u64 ticks)
{
	if (!h->count || ticks < h->min)
		h->min = ticks;
	h->max = max(h->max, ticks);
	h->count++;
	h->sum += ticks;
	h->bucket[bucket_of(ticks)]++;
}

void pamt_hw_event(struct worker *w, u32 leaf, u32 region, u64 status, u32 refcount)
{
	if (!w->events)
		return;
	if (w->event_count == w->event_capacity) {
		w->events_lost = true;
		return;
	}
	w->events[w->event_count++] = (struct pamt_hw_event){
		.leaf = leaf, .region = region, .status = status, .refcount = refcount,
	};
}
