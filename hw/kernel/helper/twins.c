// SPDX-License-Identifier: GPL-2.0
/*
 * The C twins: tdx_pamt_get() and tdx_pamt_put() under each locking strategy, on the kernel's own
 * spinlock_t (qspinlock), bit spinlock and atomic_t. The protocols are those of the Dynamic PAMT
 * series: `simple` is v6 05/11, `global` v6 06/11; `striped` and `per-2m` are `global` with a finer
 * lock; `ordered` also takes the locks of the regions that hold the two backing pages, in the order
 * of their index, because PAMT.ADD locks those regions' 2M entries too.
 *
 * Every get or put that the module refuses ends as in the series: a get fails with EIO and gives its
 * pair back; a put keeps the pair and leaves the refcount at 1.
 */
/* Some kernels need <linux/spinlock.h> before <linux/bit_spinlock.h>. */
#include <linux/spinlock.h>
#include <linux/bits.h>
#include <linux/bit_spinlock.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "twins.h"

#define PAIRS_PER_REGION (PAGES_PER_REGION / 2)

static void pair_phys(struct twin *t, u32 pair, phys_addr_t phys[2])
{
	u32 region = t->regions + pair / PAIRS_PER_REGION;
	u32 page = pair % PAIRS_PER_REGION * 2;

	phys[0] = pamt_hw_phys(t->s, region, page);
	phys[1] = pamt_hw_phys(t->s, region, page + 1);
}

static void count_busy(u64 status, u64 *counter)
{
	if ((status & TDX_STATUS_MASK) == TDX_OPERAND_BUSY)
		++*counter;
}

/* PAMT.ADD of a region with a pair; the caller holds the region's lock. */
static int add_pair(struct worker *w, u32 region, u32 pair)
{
	phys_addr_t phys[2];
	u64 start, status;

	pair_phys(w->t, pair, phys);
	start = rdtsc_ordered();
	status = pamt_hw_add(w->t->s, region, phys);
	pamt_hw_record(&w->result->add, rdtsc_ordered() - start);
	pamt_hw_event(w, PAMT_HW_PAMT_ADD, region, status, 0);
	if (status) {
		count_busy(status, &w->result->busy_add);
		w->result->last_error = status;
		return -EIO;
	}
	w->t->pair_of[region] = pair;
	return 0;
}

/* PAMT.REMOVE; the pair that came back, or NO_PAIR. */
static u32 remove_pair(struct worker *w, u32 region)
{
	phys_addr_t phys[2], expected[2];
	u32 pair = w->t->pair_of[region];
	u64 start, status;

	start = rdtsc_ordered();
	status = pamt_hw_remove(w->t->s, region, phys);
	pamt_hw_record(&w->result->remove, rdtsc_ordered() - start);
	pamt_hw_event(w, PAMT_HW_PAMT_REMOVE, region, status, 0);
	if (status) {
		count_busy(status, &w->result->busy_remove);
		w->result->last_error = status;
		return NO_PAIR;
	}
	w->t->pair_of[region] = NO_PAIR;
	pair_phys(w->t, pair, expected);
	if (phys[0] != expected[0] || phys[1] != expected[1]) {
		w->result->lost_pages += 2;
		return NO_PAIR;
	}
	return pair;
}

/* ---- locks: where a strategy differs from the next ---- */

static void region_lock(struct twin *t, u32 region) __acquires(region)
{
	if (t->bit_locks)
		bit_spin_lock(region % BITS_PER_LONG, &t->bit_locks[region / BITS_PER_LONG]);
	else
		spin_lock(&t->locks[region & (t->stripes - 1)]);
}

static void region_unlock(struct twin *t, u32 region) __releases(region)
{
	if (t->bit_locks)
		bit_spin_unlock(region % BITS_PER_LONG, &t->bit_locks[region / BITS_PER_LONG]);
	else
		spin_unlock(&t->locks[region & (t->stripes - 1)]);
}

/* ---- global, striped, per-2m: v6 06/11 with one lock of some kind ---- */

static int refcounted_get(struct worker *w, u32 region)
{
	struct twin *t = w->t;
	atomic_t *refcount = &t->refcounts[region];
	int error = 0;
	u32 pair;

	if (atomic_inc_not_zero(refcount))
		return 0;
	pair = pamt_hw_pair_take(w);
	if (pair == NO_PAIR)
		return -ENOMEM;
	region_lock(t, region);
	if (atomic_read(refcount)) {
		atomic_inc(refcount);
	} else {
		error = add_pair(w, region, pair);
		if (!error) {
			atomic_set(refcount, 1);
			pair = NO_PAIR;
		}
	}
	region_unlock(t, region);
	if (pair != NO_PAIR)
		pamt_hw_pair_give(w, pair);
	return error;
}

static int refcounted_put(struct worker *w, u32 region)
{
	struct twin *t = w->t;
	atomic_t *refcount = &t->refcounts[region];
	u32 pair;

	/* atomic_dec_and_lock(), for any kind of lock. */
	if (atomic_add_unless(refcount, -1, 1))
		return 0;
	region_lock(t, region);
	if (!atomic_dec_and_test(refcount)) {
		region_unlock(t, region);
		return 0;
	}
	pair = remove_pair(w, region);
	if (t->pair_of[region] != NO_PAIR)
		atomic_set(refcount, 1);
	region_unlock(t, region);
	if (pair == NO_PAIR)
		return -EIO;
	pamt_hw_pair_give(w, pair);
	return 0;
}

/* ---- simple: v6 05/11, the lock on every get and put, the pair taken first ---- */

static int simple_get(struct worker *w, u32 region)
{
	struct twin *t = w->t;
	atomic_t *refcount = &t->refcounts[region];
	u32 pair = pamt_hw_pair_take(w);
	int error = 0;

	if (pair == NO_PAIR)
		return -ENOMEM;
	region_lock(t, region);
	if (atomic_read(refcount)) {
		atomic_inc(refcount);
	} else {
		error = add_pair(w, region, pair);
		if (!error) {
			atomic_set(refcount, 1);
			pair = NO_PAIR;
		}
	}
	region_unlock(t, region);
	if (pair != NO_PAIR)
		pamt_hw_pair_give(w, pair);
	return error;
}

static int simple_put(struct worker *w, u32 region)
{
	struct twin *t = w->t;
	atomic_t *refcount = &t->refcounts[region];
	u32 pair = NO_PAIR;
	bool last = false;

	region_lock(t, region);
	if (atomic_read(refcount) > 1) {
		atomic_dec(refcount);
	} else {
		last = true;
		pair = remove_pair(w, region);
		if (t->pair_of[region] == NO_PAIR)
			atomic_set(refcount, 0);
	}
	region_unlock(t, region);
	if (!last)
		return 0;
	if (pair == NO_PAIR)
		return -EIO;
	pamt_hw_pair_give(w, pair);
	return 0;
}

/* ---- ordered: as striped, with the stripes of the backing pages' regions in an ADD ---- */

struct stripe_set {
	u32 index[3];
	u32 count;
};

/* Sorted, aliases merged. Both pages of a pair lie in one region here, so two stripes at most. */
static struct stripe_set stripes_of(struct twin *t, u32 region, u32 pair)
{
	u32 a = region & (t->stripes - 1);
	u32 b = (t->regions + pair / PAIRS_PER_REGION) & (t->stripes - 1);
	struct stripe_set set = { .index = { min(a, b), max(a, b) }, .count = a == b ? 1 : 2 };

	return set;
}

/* sparse counts locks a line of code; __acquire() and __release() make a set count as one lock. */
static void lock_set(struct twin *t, const struct stripe_set *set) __acquires(set)
{
	u32 i;

	for (i = 0; i < set->count; i++) {
		spin_lock_nested(&t->locks[set->index[i]], i);
		__release(&t->locks[set->index[i]]);
	}
	__acquire(set);
}

static void unlock_set(struct twin *t, const struct stripe_set *set) __releases(set)
{
	u32 i = set->count;

	while (i--) {
		__acquire(&t->locks[set->index[i]]);
		spin_unlock(&t->locks[set->index[i]]);
	}
	__release(set);
}

static int ordered_get(struct worker *w, u32 region)
{
	struct twin *t = w->t;
	atomic_t *refcount = &t->refcounts[region];
	struct stripe_set set;
	int error = 0;
	u32 pair;

	if (atomic_inc_not_zero(refcount))
		return 0;
	pair = pamt_hw_pair_take(w);
	if (pair == NO_PAIR)
		return -ENOMEM;
	set = stripes_of(t, region, pair);
	lock_set(t, &set);
	if (atomic_read(refcount)) {
		atomic_inc(refcount);
	} else {
		error = add_pair(w, region, pair);
		if (!error) {
			atomic_set(refcount, 1);
			pair = NO_PAIR;
		}
	}
	unlock_set(t, &set);
	if (pair != NO_PAIR)
		pamt_hw_pair_give(w, pair);
	return error;
}

static const struct strategy strategies[PAMT_HW_STRATEGIES] = {
	[PAMT_HW_GLOBAL] = { refcounted_get, refcounted_put, false },
	[PAMT_HW_SIMPLE] = { simple_get, simple_put, false },
	[PAMT_HW_STRIPED] = { refcounted_get, refcounted_put, true },
	[PAMT_HW_PER_2M] = { refcounted_get, refcounted_put, false },
	/* A REMOVE locks no backing region, so its put is that of `striped`. */
	[PAMT_HW_ORDERED] = { ordered_get, refcounted_put, true },
};

static int alloc_locks(struct twin *t, bool bits)
{
	u32 i;

	if (bits) {
		t->bit_locks = vzalloc(BITS_TO_LONGS(t->regions) * sizeof(unsigned long));
		return t->bit_locks ? 0 : -ENOMEM;
	}
	t->locks = vmalloc(array_size(t->stripes, sizeof(*t->locks)));
	if (!t->locks)
		return -ENOMEM;
	for (i = 0; i < t->stripes; i++)
		spin_lock_init(&t->locks[i]);
	return 0;
}

/*
 * Checks the arguments that come from userspace, then allocates. A region that carries a pair from
 * before (by single leaves) is refused: its refcount would start wrong.
 */
int pamt_hw_twin_init(struct twin *t, struct session *s, u32 strategy, u32 stripes, u32 regions,
		      u32 backing, u32 threads)
{
	u32 i;

	*t = (struct twin){ .s = s, .regions = regions, .backing = backing };
	if (strategy >= PAMT_HW_STRATEGIES || !regions || !backing)
		return -EINVAL;
	if (regions > s->count || backing > s->count - regions)
		return -EINVAL;
	/* Every region may hold a pair and every worker a stash of them. */
	if (backing * PAIRS_PER_REGION < regions + threads * STASH_PAIRS)
		return -ENOSPC;
	t->strategy = &strategies[strategy];
	if (t->strategy->striped) {
		if (!is_power_of_2(stripes) || stripes > PAMT_HW_MAX_STRIPES)
			return -EINVAL;
	} else if (stripes) {
		return -EINVAL;
	}
	t->stripes = t->strategy->striped ? stripes : 1;
	for (i = 0; i < regions + backing; i++)
		if (atomic_read(&s->regions[i].pairs))
			return -EBUSY;

	t->refcounts = vzalloc(array_size(regions, sizeof(*t->refcounts)));
	t->pair_of = vmalloc(array_size(regions, sizeof(*t->pair_of)));
	if (!t->refcounts || !t->pair_of || alloc_locks(t, strategy == PAMT_HW_PER_2M) ||
	    pamt_hw_pool_init(&t->pool, backing * PAIRS_PER_REGION)) {
		pamt_hw_twin_destroy(t);
		return -ENOMEM;
	}
	for (i = 0; i < regions; i++)
		t->pair_of[i] = NO_PAIR;
	return 0;
}

void pamt_hw_twin_destroy(struct twin *t)
{
	pamt_hw_pool_destroy(&t->pool);
	vfree(t->bit_locks);
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
	struct pamt_hw_event *e;

	if (!w->events || w->event_count == w->event_capacity)
		return;
	e = &w->events[w->event_count++];
	*e = (struct pamt_hw_event){
		.leaf = leaf, .region = region, .status = status, .refcount = refcount,
	};
}
