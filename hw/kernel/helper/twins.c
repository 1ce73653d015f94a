// SPDX-License-Identifier: GPL-2.0
/*
 * The C twins: tdx_pamt_get() and tdx_pamt_put() under each locking strategy, on the kernel's own
 * spinlock_t (qspinlock), bit spinlock and atomic_t. The protocols are those of the Dynamic PAMT
 * series: `simple` is v6 05/11, `global` v6 06/11; `striped` and `per-2m` are `global` with finer
 * locks, as strategies/src/pamt/counted.rs has them (`parked` is in parked.c): a SEAMCALL that meets
 * BUSY is done again, and with PAMT_HW_COVER an ADD also holds the locks of the regions that hold its
 * backing pages, because PAMT.ADD locks those regions' 2M entries, too.
 *
 * What the module refuses ends as in the series: a get fails with EIO and gives its pair back; a put
 * keeps the pair and leaves the refcount at 1.
 */
/* Some kernels need <linux/spinlock.h> before <linux/bit_spinlock.h>. */
#include <linux/spinlock.h>
#include <linux/bits.h>
#include <linux/bit_spinlock.h>
#include <linux/minmax.h>

#include "compat.h"
#include "twins.h"

/* ---- SEAMCALLs, under the lock, again while they meet BUSY ---- */

static int add_pair(struct worker *w, u32 region, u32 pair)
{
	u32 retries = w->t->retries;
	u64 status;

	while ((status = pamt_hw_twin_add(w, region, pair))) {
		if (!pamt_hw_is_busy(status) || !retries--)
			break;
		cpu_relax();
	}
	if (!status)
		return 0;
	w->result->last_error = status;
	return -EIO;
}

/* The pair that came back, or NO_PAIR; pair_of[] tells a failed REMOVE from a wrong pair. */
static u32 remove_pair(struct worker *w, u32 region)
{
	u32 retries = w->t->retries;
	u64 status;
	u32 pair;

	while ((status = pamt_hw_twin_remove(w, region, &pair))) {
		if (!pamt_hw_is_busy(status) || !retries--)
			break;
		cpu_relax();
	}
	if (status)
		w->result->last_error = status;
	return pair;
}

/* ---- refcounts; bit 31 may be a lock that others take and drop at any time ---- */

int pamt_hw_refcount(const struct twin *t, u32 region)
{
	return atomic_read(&t->refcounts[region]) & STATE_COUNT;
}

/* atomic_add_unless(), apart from the lock bit. */
static bool add_unless(atomic_t *refcount, int add, int unless)
{
	int old = atomic_read(refcount);

	do {
		if ((old & STATE_COUNT) == unless)
			return false;
	} while (!atomic_try_cmpxchg(refcount, &old, old + add));
	return true;
}

/* atomic_set(), apart from the lock bit; the count is not changed by others meanwhile. */
static void set_count(struct twin *t, u32 region, int from, int to)
{
	if (t->locks)
		atomic_set(&t->refcounts[region], to);
	else
		atomic_add(to - from, &t->refcounts[region]);
}

/* ---- locks: where a strategy differs from the next ---- */

static u32 lock_index(const struct twin *t, u32 region)
{
	return t->locks ? region & (t->stripes - 1) : region;
}

/* The aligned long that holds refcount `i`, and the number of the refcount's bit 31 in it. */
static unsigned long *lock_word(struct twin *t, u32 i)
{
	return (unsigned long *)&t->refcounts[i & ~1u];
}

static int lock_bit(u32 i)
{
	return 31 + 32 * (i & 1);
}

static void lock_one(struct twin *t, u32 index, int subclass) __acquires(index)
{
	if (t->locks)
		spin_lock_nested(&t->locks[index].lock, subclass);
	else
		bit_spin_lock(lock_bit(index), lock_word(t, index));
}

static void unlock_one(struct twin *t, u32 index) __releases(index)
{
	if (t->locks)
		spin_unlock(&t->locks[index].lock);
	else
		bit_spin_unlock(lock_bit(index), lock_word(t, index));
}

/* The locks that an ADD takes: sorted, aliases merged. */
struct lock_set {
	u32 index[2];
	u32 count;
};

/* Both pages of a pair lie in one region here, so two locks cover an ADD. */
static struct lock_set locks_for_add(struct twin *t, u32 region, u32 pair)
{
	u32 a = lock_index(t, region);
	u32 b = t->cover ? lock_index(t, t->regions + pair / PAIRS_PER_REGION) : a;
	struct lock_set set = { .index = { min(a, b), max(a, b) }, .count = a == b ? 1 : 2 };

	return set;
}

/* sparse counts locks a line of code; __acquire() and __release() make a set count as one lock. */
static void lock_set(struct twin *t, const struct lock_set *set) __acquires(set)
{
	u32 i;

	for (i = 0; i < set->count; i++) {
		lock_one(t, set->index[i], i);
		__release(set->index[i]);
	}
	__acquire(set);
}

static void unlock_set(struct twin *t, const struct lock_set *set) __releases(set)
{
	u32 i = set->count;

	while (i--) {
		__acquire(set->index[i]);
		unlock_one(t, set->index[i]);
	}
	__release(set);
}

/* ---- get and put ---- */

/* With the locks held: counts up, or adds the pair and clears *pair. */
static int inc_or_add(struct worker *w, u32 region, u32 *pair)
{
	struct twin *t = w->t;
	int error;

	if (pamt_hw_refcount(t, region)) {
		atomic_inc(&t->refcounts[region]);
		return 0;
	}
	error = add_pair(w, region, *pair);
	if (error)
		return error;
	set_count(t, region, 0, 1);
	*pair = NO_PAIR;
	return 0;
}

/* The whole of `simple`; the slow path of the others. */
static int get_locked(struct worker *w, u32 region)
{
	u32 pair = pamt_hw_pair_take(w);
	struct lock_set set;
	int error;

	if (pair == NO_PAIR)
		return -ENOMEM;
	set = locks_for_add(w->t, region, pair);
	lock_set(w->t, &set);
	error = inc_or_add(w, region, &pair);
	unlock_set(w->t, &set);
	if (pair != NO_PAIR)
		pamt_hw_pair_give(w, pair);
	return error;
}

static int counted_get(struct worker *w, u32 region)
{
	if (add_unless(&w->t->refcounts[region], 1, 0))
		return 0;
	return get_locked(w, region);
}

static int give_back(struct worker *w, u32 pair)
{
	if (pair == NO_PAIR)
		return -EIO;
	pamt_hw_pair_give(w, pair);
	return 0;
}

static int counted_put(struct worker *w, u32 region)
{
	struct twin *t = w->t;
	u32 index = lock_index(t, region);
	u32 pair;

	/* atomic_dec_and_lock(), for any kind of lock. */
	if (add_unless(&t->refcounts[region], -1, 1))
		return 0;
	lock_one(t, index, 0);
	if ((atomic_dec_return(&t->refcounts[region]) & STATE_COUNT) != 0) {
		unlock_one(t, index);
		return 0;
	}
	pair = remove_pair(w, region);
	if (t->pair_of[region] != NO_PAIR)
		set_count(t, region, 0, 1);
	unlock_one(t, index);
	return give_back(w, pair);
}

static int simple_put(struct worker *w, u32 region)
{
	struct twin *t = w->t;
	u32 pair;

	lock_one(t, 0, 0);
	if (pamt_hw_refcount(t, region) > 1) {
		atomic_dec(&t->refcounts[region]);
		unlock_one(t, 0);
		return 0;
	}
	pair = remove_pair(w, region);
	if (t->pair_of[region] == NO_PAIR)
		set_count(t, region, 1, 0);
	unlock_one(t, 0);
	return give_back(w, pair);
}

/* Removes what a strategy has kept for later. */
int pamt_hw_quiesce(struct worker *w)
{
	const struct strategy *strategy = w->t->strategy;

	return strategy->quiesce ? strategy->quiesce(w) : 0;
}

const struct strategy pamt_hw_strategies[PAMT_HW_STRATEGIES] = {
	[PAMT_HW_GLOBAL] = { .get = counted_get, .put = counted_put },
	[PAMT_HW_SIMPLE] = { .get = get_locked, .put = simple_put },
	[PAMT_HW_STRIPED] = { .get = counted_get, .put = counted_put, .striped = true, .finer = true },
	[PAMT_HW_PER_2M] = { .get = counted_get, .put = counted_put, .finer = true },
	[PAMT_HW_PARKED] = {
		.get = pamt_hw_parked_get,
		.put = pamt_hw_parked_put,
		.quiesce = pamt_hw_parked_quiesce,
		.parks = true,
	},
};
