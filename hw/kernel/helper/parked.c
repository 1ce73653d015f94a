// SPDX-License-Identifier: GPL-2.0
/*
 * The C twin of `parked` (strategies/src/pamt/parked.rs and state_word.rs): the refcount is a state
 * machine, pairs of regions without a page stay for a while, and no lock is taken unless the module
 * says BUSY.
 *
 *   0             absent: no pair
 *   1 .. 2^29-1   pages in use
 *   PARKED        a pair, no page in use
 *   TRANSIT       one CPU is in PAMT.ADD or PAMT.REMOVE for this region; all others wait
 *
 * Each ADD and REMOVE holds the read side of its node's lock; one that met BUSY is done once more
 * under the write side of all nodes, when no other is under way. A worker's ring stands for its CPU's.
 */
#include <linux/minmax.h>
#include <linux/preempt.h>
#include <linux/topology.h>

#include "compat.h"
#include "twins.h"

/* ---- SEAMCALLs ---- */

struct call {
	u32 region;
	u32 pair;	/* ADD: in; REMOVE: out */
	bool add;
};

static u64 seamcall(struct worker *w, struct call *call)
{
	if (call->add)
		return pamt_hw_twin_add(w, call->region, call->pair);
	return pamt_hw_twin_remove(w, call->region, &call->pair);
}

/* sparse counts locks a line of code; __acquire() and __release() make all nodes' count as one. */
static void write_lock_all(struct twin *t) __acquires(t->nodes)
{
	u32 i;

	for (i = 0; i < t->node_count; i++) {
		write_lock_nested(&t->nodes[i].lock, min(i, MAX_LOCKDEP_SUBCLASSES - 1U));
		__release(&t->nodes[i].lock);
	}
	__acquire(t->nodes);
}

static void write_unlock_all(struct twin *t) __releases(t->nodes)
{
	u32 i = t->node_count;

	__release(t->nodes);
	while (i--) {
		__acquire(&t->nodes[i].lock);
		write_unlock(&t->nodes[i].lock);
	}
}

/* In transit: preemption is off. */
static u64 guarded(struct worker *w, struct call *call)
{
	struct twin *t = w->t;
	rwlock_t *mine = &t->nodes[numa_node_id()].lock;
	u64 status;

	read_lock(mine);
	status = seamcall(w, call);
	read_unlock(mine);
	if (!pamt_hw_is_busy(status))
		return status;
	write_lock_all(t);
	status = seamcall(w, call);
	write_unlock_all(t);
	return status;
}

/* ---- the state machine ---- */

static bool enter_transit(atomic_t *state, int from)
{
	preempt_disable();
	if (atomic_cmpxchg(state, from, STATE_TRANSIT) == from)
		return true;
	preempt_enable();
	return false;
}

static void leave_transit(atomic_t *state, int to)
{
	atomic_set_release(state, to);
	preempt_enable();
}

/* False if the region is absent. */
static bool count_up(atomic_t *state)
{
	int old = atomic_read(state);

	for (;;) {
		if (!old)
			return false;
		if (old == STATE_TRANSIT) {
			cpu_relax();
			old = atomic_read(state);
		} else if (atomic_try_cmpxchg(state, &old, old == STATE_PARKED ? 1 : old + 1)) {
			return true;
		}
	}
}

static int add(struct worker *w, u32 region, u32 *pair)
{
	struct call call = { .region = region, .pair = *pair, .add = true };
	u64 status = guarded(w, &call);

	leave_transit(&w->t->refcounts[region], status ? 0 : 1);
	if (status) {
		w->result->last_error = status;
		return -EIO;
	}
	*pair = NO_PAIR;
	return 0;
}

int pamt_hw_parked_get(struct worker *w, u32 region)
{
	atomic_t *state = &w->t->refcounts[region];
	u32 pair = NO_PAIR;
	int error = 0;

	while (!count_up(state)) {
		/* The pair comes first: nothing may sleep in transit. */
		if (pair == NO_PAIR)
			pair = pamt_hw_pair_take(w);
		if (pair == NO_PAIR)
			return -ENOMEM;
		if (enter_transit(state, 0)) {
			error = add(w, region, &pair);
			break;
		}
	}
	if (pair != NO_PAIR)
		pamt_hw_pair_give(w, pair);
	return error;
}

/* In transit: gives the pair back; what the module keeps stays parked. */
static int remove(struct worker *w, u32 region)
{
	struct call call = { .region = region };
	u64 status = guarded(w, &call);

	leave_transit(&w->t->refcounts[region], status ? STATE_PARKED : 0);
	if (call.pair == NO_PAIR)
		return -EIO;
	pamt_hw_pair_give(w, call.pair);
	return 0;
}

/* Removes the pair of a region if it is parked. */
static int evict(struct worker *w, u32 region)
{
	atomic_t *state = &w->t->refcounts[region];

	if (atomic_read(state) != STATE_PARKED || !enter_transit(state, STATE_PARKED))
		return 0;
	return remove(w, region);
}

/* A parked region enters the ring; the one that has been there longest must go. */
static void park(struct worker *w, u32 region)
{
	u32 *slot = &w->ring[w->cursor];
	u32 oldest = *slot;

	w->cursor = (w->cursor + 1) % w->t->park;
	*slot = region + 1;
	if (oldest)
		evict(w, oldest - 1);
}

/* Never fails: a pair that the module does not give back stays parked. */
int pamt_hw_parked_put(struct worker *w, u32 region)
{
	atomic_t *state = &w->t->refcounts[region];
	int old = atomic_read(state);

	while (old > 0 && old < STATE_PARKED) {
		if (old == 1 && !w->t->park) {
			if (enter_transit(state, 1)) {
				remove(w, region);
				return 0;
			}
			old = atomic_read(state);
		} else if (atomic_try_cmpxchg(state, &old, old == 1 ? STATE_PARKED : old - 1)) {
			if (old == 1)
				park(w, region);
			return 0;
		}
	}
	return -EINVAL;
}

/* Nobody else works on the twin any more. Fails if the module keeps a pair. */
int pamt_hw_parked_quiesce(struct worker *w)
{
	int error = 0;
	u32 i;

	for (i = 0; i < w->t->park; i++) {
		u32 parked = w->ring[i];

		w->ring[i] = 0;
		if (parked)
			evict(w, parked - 1);
	}
	for (i = 0; i < w->t->regions; i++)
		error = evict(w, i) ?: error;
	return error;
}
