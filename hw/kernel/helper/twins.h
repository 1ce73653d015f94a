/* SPDX-License-Identifier: GPL-2.0 */
/* The C twins of the strategies, and what a run of them consists of. */
#ifndef PAMT_HW_TWINS_H
#define PAMT_HW_TWINS_H

#include <linux/cache.h>
#include <linux/spinlock.h>

#include "internal.h"

#define NO_PAIR		U32_MAX
#define STASH_PAIRS	16
#define PAIRS_PER_REGION (PAGES_PER_REGION / 2)

/* A refcount's bits that count; above are the flags of `parked` (see there) and the lock bit of `per-2m`. */
#define STATE_COUNT	(STATE_PRESENT - 1)
#define STATE_PRESENT	(1 << 29)
#define STATE_TRANSIT	(1 << 30)

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

/* A NUMA node's lock, on a line of its own. */
struct node_lock {
	rwlock_t lock;
} ____cacheline_aligned_in_smp;

struct strategy {
	int (*get)(struct worker *w, u32 region);
	int (*put)(struct worker *w, u32 region);
	int (*quiesce)(struct worker *w);	/* may be NULL; the only worker left calls it */
	bool striped;	/* takes a number of locks */
	bool finer;	/* more than one lock: may cover backing regions and retry on BUSY */
	bool parks;	/* keeps pairs of regions without a page */
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
	u32 park;
};

/* One instance of a strategy with its memory. */
struct twin {
	struct session *s;
	const struct strategy *strategy;
	u32 regions;
	u32 backing;
	u32 stripes;
	u32 retries;
	u32 park;
	u32 node_count;
	bool cover;
	atomic_t *refcounts;		/* a region each, packed as in the kernel; bit 31: per-2m's lock */
	u32 *pair_of;			/* the pair that backs a region, or NO_PAIR */
	struct stripe *locks;		/* `stripes` of them; NULL for per-2m and parked */
	struct node_lock *nodes;	/* parked only */
	struct pool pool;
};

/* What one thread works with. */
struct worker {
	struct twin *t;
	u32 stash[STASH_PAIRS];
	u32 stashed;
	u32 ring[PAMT_HW_MAX_PARK];	/* parked: regions + 1; 0 is a free slot */
	u32 cursor;
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
int pamt_hw_quiesce(struct worker *w);

int pamt_hw_parked_get(struct worker *w, u32 region);
int pamt_hw_parked_put(struct worker *w, u32 region);
int pamt_hw_parked_quiesce(struct worker *w);

/* One SEAMCALL, with its books; the pair that REMOVE gave back is NO_PAIR if it is not the right one. */
u64 pamt_hw_twin_add(struct worker *w, u32 region, u32 pair);
u64 pamt_hw_twin_remove(struct worker *w, u32 region, u32 *pair);

static inline bool pamt_hw_is_busy(u64 status)
{
	return (status & TDX_STATUS_MASK) == TDX_OPERAND_BUSY;
}

u32 pamt_hw_pair_take(struct worker *w);
void pamt_hw_pair_give(struct worker *w, u32 pair);
void pamt_hw_stash_empty(struct worker *w);

void pamt_hw_record(struct pamt_hw_histogram *h, u64 ticks);
void pamt_hw_event(struct worker *w, u32 leaf, u32 region, u64 status, u32 refcount);

#endif
