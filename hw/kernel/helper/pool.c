// SPDX-License-Identifier: GPL-2.0
/*
 * Backing pairs. A worker keeps a stash of its own, as a vCPU keeps its topped-up cache, and moves
 * half of it at a time from or to the shared pool, so that the pool's lock is not what a run measures.
 */
#include <linux/vmalloc.h>

#include "twins.h"

int pamt_hw_pool_init(struct pool *pool, u32 pairs)
{
	u32 i;

	spin_lock_init(&pool->lock);
	pool->free = vmalloc(array_size(pairs, sizeof(*pool->free)));
	if (!pool->free)
		return -ENOMEM;
	/* Last in, first out: pair 0 is taken first. */
	for (i = 0; i < pairs; i++)
		pool->free[i] = pairs - 1 - i;
	pool->count = pairs;
	return 0;
}

void pamt_hw_pool_destroy(struct pool *pool)
{
	vfree(pool->free);
}

static void refill(struct worker *w)
{
	struct pool *pool = &w->t->pool;

	spin_lock(&pool->lock);
	while (w->stashed < STASH_PAIRS / 2 && pool->count)
		w->stash[w->stashed++] = pool->free[--pool->count];
	spin_unlock(&pool->lock);
}

static void spill(struct worker *w, u32 keep)
{
	struct pool *pool = &w->t->pool;

	spin_lock(&pool->lock);
	while (w->stashed > keep)
		pool->free[pool->count++] = w->stash[--w->stashed];
	spin_unlock(&pool->lock);
}

u32 pamt_hw_pair_take(struct worker *w)
{
	if (!w->stashed)
		refill(w);
	return w->stashed ? w->stash[--w->stashed] : NO_PAIR;
}

void pamt_hw_pair_give(struct worker *w, u32 pair)
{
	if (w->stashed == STASH_PAIRS)
		spill(w, STASH_PAIRS / 2);
	w->stash[w->stashed++] = pair;
}

void pamt_hw_stash_empty(struct worker *w)
{
	spill(w, 0);
}
