// SPDX-License-Identifier: GPL-2.0
/*
 * The C twin of `parked` (strategies/src/pamt/parked.rs, state_word.rs and parking.rs): the refcount
 * word also says whether the region has its pair, pairs of regions without a page stay for a while,
 * and no lock is taken unless the module says BUSY.
 *
 *   bits 0 to 28  pages; without a pair, they wait for it
 *   PRESENT       the pair is in place; with no page, the region is parked
 *   TRANSIT       one CPU is in PAMT.ADD or PAMT.REMOVE for this region; all others wait
 *
 * A get adds its page first and looks then: if the pair was there, it stays, because only a count of 0
 * lets it go. So a get of a region with its pair is one RMW, and so is a put that is not the last.
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

/* Pages stay counted. Preemption is off until leave_transit(). */
static bool enter_transit(atomic_t *state, int *seen)
{
	preempt_disable();
	if (atomic_try_cmpxchg(state, seen, (*seen & STATE_COUNT) | STATE_TRANSIT))
		return true;
	preempt_enable();
	return false;
}

static void leave_transit(atomic_t *state, int to)
{
	atomic_add_return_release(to - STATE_TRANSIT, state);
	preempt_enable();
}

static int wait_for_transit(atomic_t *state)
{
	return atomic_cond_read_acquire(state, !(VAL & STATE_TRANSIT));
}

static int add(struct worker *w, u32 region, u32 *pair)
{
	struct call call = { .region = region, .pair = *pair, .add = true };
	u64 status = guarded(w, &call);

	leave_transit(&w->t->refcounts[region], status ? 0 : STATE_PRESENT);
	if (status) {
		w->result->last_error = status;
		return -EIO;
	}
	*pair = NO_PAIR;
	return 0;
}

/* The page is counted, but `word` had no pair. */
static int get_slow(struct worker *w, u32 region, int word)
{
	atomic_t *state = &w->t->refcounts[region];
	u32 pair = NO_PAIR;
	int error = 0;

	while (!(word & STATE_PRESENT)) {
		if (word & STATE_TRANSIT) {
			word = wait_for_transit(state);
			continue;
		}
		/* The pair comes first: nothing may sleep in transit. */
		if (pair == NO_PAIR)
			pair = pamt_hw_pair_take(w);
		if (pair == NO_PAIR)
			return -ENOMEM;
		if (enter_transit(state, &word)) {
			error = add(w, region, &pair);
			break;
		}
	}
	if (pair != NO_PAIR)
		pamt_hw_pair_give(w, pair);
	return error;
}

int pamt_hw_parked_get(struct worker *w, u32 region)
{
	int word = atomic_inc_return(&w->t->refcounts[region]);
	int error;

	if (word & STATE_PRESENT)
		return 0;
	error = get_slow(w, region, word);
	if (error)
		pamt_hw_parked_put(w, region);
	return error;
}

/* Removes the pair of a region that is parked, unless somebody has come back. */
static int remove_parked(struct worker *w, u32 region)
{
	atomic_t *state = &w->t->refcounts[region];
	struct call call = { .region = region };
	int parked = STATE_PRESENT;
	u64 status;

	if (!enter_transit(state, &parked))
		return 0;
	status = guarded(w, &call);
	leave_transit(state, status ? STATE_PRESENT : 0);
	if (call.pair == NO_PAIR)
		return -EIO;
	pamt_hw_pair_give(w, call.pair);
	return 0;
}

/* Leaves the line of a region that is not parked where it is. */
static int evict(struct worker *w, u32 region)
{
	if (atomic_read(&w->t->refcounts[region]) != STATE_PRESENT)
		return 0;
	return remove_parked(w, region);
}

static bool is_in_ring(const struct worker *w, u32 region)
{
	u32 i;

	for (i = 0; i < w->t->park; i++)
		if (w->ring[i] == region + 1)
			return true;
	return false;
}

/* A parked region enters the ring; the one that has been there longest must go. */
static void park(struct worker *w, u32 region)
{
	u32 *slot = &w->ring[w->cursor];
	u32 oldest = *slot;

	if (is_in_ring(w, region))
		return;
	w->cursor = (w->cursor + 1) % w->t->park;
	*slot = region + 1;
	if (oldest)
		evict(w, oldest - 1);
}

/* Never fails: a pair that the module does not give back stays parked. */
int pamt_hw_parked_put(struct worker *w, u32 region)
{
	atomic_t *state = &w->t->refcounts[region];
	int word = atomic_dec_return(state);

	/* A count of 0 has borrowed from the flags. */
	if (((word + 1) & STATE_COUNT) == 0) {
		atomic_inc(state);
		return -EINVAL;
	}
	if (word != STATE_PRESENT)
		return 0;
	if (w->t->park)
		park(w, region);
	else
		remove_parked(w, region);
	return 0;
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
