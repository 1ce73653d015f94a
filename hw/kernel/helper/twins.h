/* SPDX-License-Identifier: GPL-2.0 */
/* The C twins of the strategies, and what a run of them consists of. */
#ifndef PAMT_HW_TWINS_H
#define PAMT_HW_TWINS_H

#include <linux/cache.h>
#include <linux/spinlock.h>

#include "internal.h"

#define NO_PAIR		U32_MAX
#define STASH_PAIRS	16

/* Free page pairs: pair p is pages 2p and 2p+1 of the backing regions, counted through. */
struct pool {
	spinlock_t lock;
	u32 count;
	u32 *free;
};

int pamt_hw_pool_init(struct pool *pool, u32 pairs);
void pamt_hw_pool_destroy(struct pool *pool);

struct twin;
struct worker;

/* A lock with a line of its own. */
struct stripe {
	spinlock_t lock;
} ____cacheline_aligned_in_smp;

struct strategy {
	int (*get)(struct worker *w, u32 region);
	int (*put)(struct worker *w, u32 region);
	bool striped;	/* takes a number of locks */
	bool finer;	/* more than one lock: may cover backing regions and retry on BUSY */
};

/* What userspace asks for. */
struct twin_args {
	u32 strategy;
	u32 stripes;
	u32 flags;
	u32 retries;
	u32 regions;
	u32 backing;
	u32 threads;
};

/* One instance of a strategy with its memory. */
struct twin {
	struct session *s;
	const struct strategy *strategy;
	u32 regions;
	u32 backing;
	u32 stripes;
	u32 retries;
	bool cover;
	atomic_t *refcounts;		/* a region each, packed as in the kernel; bit 31: per-2m's lock */
	u32 *pair_of;			/* the pair that backs a region, or NO_PAIR */
	struct stripe *locks;		/* `stripes` of them; NULL for per-2m */
	struct pool pool;
};

/* What one thread works with. */
struct worker {
	struct twin *t;
	u32 stash[STASH_PAIRS];
	u32 stashed;
	struct pamt_hw_run_result *result;
	/* Script runs only: where events go. */
	struct pamt_hw_event *events;
	u32 event_count;
	u32 event_capacity;
	bool events_lost;
};

int pamt_hw_twin_init(struct twin *t, struct session *s, const struct twin_args *args);
void pamt_hw_twin_destroy(struct twin *t);

extern const struct strategy pamt_hw_strategies[PAMT_HW_STRATEGIES];

int pamt_hw_refcount(const struct twin *t, u32 region);

u32 pamt_hw_pair_take(struct worker *w);
void pamt_hw_pair_give(struct worker *w, u32 pair);
void pamt_hw_stash_empty(struct worker *w);

void pamt_hw_record(struct pamt_hw_histogram *h, u64 ticks);
void pamt_hw_event(struct worker *w, u32 leaf, u32 region, u64 status, u32 refcount);

#endif
