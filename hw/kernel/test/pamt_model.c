// SPDX-License-Identifier: GPL-2.0
/*
 * The model. Locks, their order, page types, the bitmap, statuses and operand ids are those of TDX
 * module 1.5.25; the whole of physical memory is one initialised TDMR. There are no TDs, so no 4 KiB
 * page is ever assigned and page_count stays 0.
 *
 * PAMT.ADD overwrites the backing pages with a pattern: a helper that gave away memory of somebody
 * else would not get far. Nothing here may sleep or print.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <asm/page.h>

#include "pamt_model.h"
#include "sharex_hp.h"

#define LEAF_PAGE_RDMD		24
#define LEAF_SYS_RD		34
#define LEAF_PAMT_ADD		58
#define LEAF_PAMT_REMOVE	59

#define OPERAND_RAX	0
#define OPERAND_RCX	1
#define OPERAND_RDX	2
#define OPERAND_R8	8

#define OPERAND_INVALID		0xc000010000000000ULL
#define ADDR_RANGE_ERROR	0xc000010100000000ULL
#define OPERAND_BUSY		0x8000020000000000ULL
#define PAGE_NOT_FREE		0xc000030300000000ULL
#define HPA_RANGE_NOT_FREE	0xc000030400000000ULL
#define NO_PAMT_PAGE_PAIR	0xc000030500000000ULL
#define PAMT_PAGE_NOT_EMPTY	0xc000030600000000ULL
#define FIELD_ID_INCORRECT	0xc0000c0000000000ULL

#define PT_NDA	0
#define PT_PAMT	15

#define PATTERN	0xa5

/* An entry of PAMT_2M; 16 bytes, as in the module: four share a line. */
struct pamt_2m {
	u16 lock;
	u8 type;
	u8 reserved;
	u32 pfn0;
	u16 page_count;
	u16 reserved1;
	u32 pfn1;
};

static unsigned long pages;
static u16 *pamt_1g;		/* locks only: no 1G page exists */
static struct pamt_2m *pamt_2m;
static u16 *pamt_4k;		/* locks only: every type is NDA */
static unsigned long *bitmap;

bool pamt_model_dynamic = true;
unsigned int pamt_model_busy_permille;
unsigned int pamt_model_fail_remove_permille;
unsigned int pamt_model_slow_us;

static atomic_long_t calls, busy, wrong, pairs, dice;

long pamt_model_calls(void)
{
	return atomic_long_read(&calls);
}

long pamt_model_busy(void)
{
	return atomic_long_read(&busy);
}

/* Releases of locks that were not held, and pairs that do not match: the module would shut down. */
long pamt_model_wrong(void)
{
	return atomic_long_read(&wrong);
}

long pamt_model_pairs(void)
{
	return atomic_long_read(&pairs);
}

static void must(bool right)
{
	if (!right)
		atomic_long_inc(&wrong);
}

/* True in `permille` of 1000 calls: a counter through a mixing function, so that runs repeat. */
static bool inject(unsigned int permille)
{
	u64 x = atomic_long_inc_return(&dice) * 0x9e3779b97f4a7c15ULL;

	return permille && (x >> 40) % 1000 < permille;
}

static u16 *lock_1g(unsigned long pfn)
{
	return &pamt_1g[pfn >> 18];
}

static struct pamt_2m *entry_2m(unsigned long pfn)
{
	return &pamt_2m[pfn >> 9];
}

/* ---- walks ---- */

/* 1G shared, 2M exclusive by promotion. */
static bool walk_exclusive(unsigned long pfn)
{
	struct pamt_2m *e = entry_2m(pfn);

	if (!sharex_hp_acquire_shared(lock_1g(pfn)))
		return false;
	if (sharex_hp_acquire_shared(&e->lock)) {
		if (sharex_hp_promote(&e->lock))
			return true;
		must(sharex_hp_release_shared(&e->lock));
	}
	must(sharex_hp_release_shared(lock_1g(pfn)));
	return false;
}

static void unwalk_exclusive(unsigned long pfn)
{
	must(sharex_hp_release_exclusive(&entry_2m(pfn)->lock));
	must(sharex_hp_release_shared(lock_1g(pfn)));
}

/* 1G, 2M and, where the region has a pair and `level` asks for it, 4K: all shared. */
struct walk {
	unsigned long pfn;
	bool held_2m;
	bool held_4k;
};

static bool walk_shared(struct walk *w, unsigned long pfn, int level)
{
	struct pamt_2m *e = entry_2m(pfn);

	*w = (struct walk){ .pfn = pfn };
	if (!sharex_hp_acquire_shared(lock_1g(pfn)))
		return false;
	if (level == 2)
		return true;
	if (!sharex_hp_acquire_shared(&e->lock))
		goto fail_2m;
	w->held_2m = true;
	if (level == 1 || e->type != PT_PAMT)
		return true;
	if (!sharex_hp_acquire_shared(&pamt_4k[pfn]))
		goto fail_4k;
	w->held_4k = true;
	return true;
fail_4k:
	must(sharex_hp_release_shared(&e->lock));
fail_2m:
	must(sharex_hp_release_shared(lock_1g(pfn)));
	return false;
}

static void unwalk_shared(const struct walk *w)
{
	if (w->held_4k)
		must(sharex_hp_release_shared(&pamt_4k[w->pfn]));
	if (w->held_2m)
		must(sharex_hp_release_shared(&entry_2m(w->pfn)->lock));
	must(sharex_hp_release_shared(lock_1g(w->pfn)));
}

/* ---- operands ---- */

/* An aligned HPA with a level in bits 2:0. */
static u64 check_region(u64 operand, u64 level)
{
	u64 mask = level == 2 ? SZ_1G - 1 : level == 1 ? SZ_2M - 1 : SZ_4K - 1;

	if (operand >> 52 || (operand & mask) != level)
		return OPERAND_INVALID | OPERAND_RCX;
	return 0;
}

static u64 check_backing(u64 hpa, u64 operand)
{
	if (hpa >> 52 || hpa & (SZ_4K - 1))
		return OPERAND_INVALID | operand;
	if (hpa >> PAGE_SHIFT >= pages)
		return ADDR_RANGE_ERROR | operand;
	return 0;
}

/* ---- PAMT.ADD ---- */

static u64 claim_bits(unsigned long pfn0, unsigned long pfn1)
{
	if (test_and_set_bit(pfn0, bitmap))
		return PAGE_NOT_FREE | OPERAND_RDX;
	if (test_and_set_bit(pfn1, bitmap)) {
		clear_bit(pfn0, bitmap);
		return PAGE_NOT_FREE | OPERAND_R8;
	}
	return 0;
}

static u64 link_pair(struct pamt_2m *e, unsigned long pfn0, unsigned long pfn1)
{
	u64 status = claim_bits(pfn0, pfn1);

	if (status)
		return status;
	memset(pfn_to_kaddr(pfn0), PATTERN, PAGE_SIZE);
	memset(pfn_to_kaddr(pfn1), PATTERN, PAGE_SIZE);
	e->pfn0 = pfn0;
	e->pfn1 = pfn1;
	e->page_count = 0;
	e->type = PT_PAMT;
	atomic_long_inc(&pairs);
	return 0;
}

/* With the target held exclusively: the backing pages' walks, in operand order. */
static u64 add_locked(unsigned long target, unsigned long pfn0, unsigned long pfn1)
{
	struct pamt_2m *e = entry_2m(target);
	bool walk0 = pfn0 >> 9 != target >> 9;
	bool walk1 = pfn1 >> 9 != target >> 9;
	struct walk w0, w1;
	u64 status;

	if (e->type != PT_NDA)
		return HPA_RANGE_NOT_FREE | OPERAND_RCX;
	if (walk0 && !walk_shared(&w0, pfn0, 0))
		return OPERAND_BUSY | OPERAND_RDX;
	if (walk1 && !walk_shared(&w1, pfn1, 0)) {
		status = OPERAND_BUSY | OPERAND_R8;
		goto out0;
	}
	status = link_pair(e, pfn0, pfn1);
	if (walk1)
		unwalk_shared(&w1);
out0:
	if (walk0)
		unwalk_shared(&w0);
	return status;
}

static u64 pamt_add(struct seam_regs *r)
{
	unsigned long target = r->rcx >> PAGE_SHIFT;
	u64 status;

	if (!pamt_model_dynamic)
		return OPERAND_INVALID | OPERAND_RAX;
	status = check_region(r->rcx, 1);
	if (!status)
		status = check_backing(r->rdx, OPERAND_RDX);
	if (!status)
		status = check_backing(r->r8, OPERAND_R8);
	if (status)
		return status;
	if (target >= pages)
		return ADDR_RANGE_ERROR | OPERAND_RCX;
	if (inject(pamt_model_busy_permille) || !walk_exclusive(target))
		return OPERAND_BUSY | OPERAND_RCX;
	status = add_locked(target, r->rdx >> PAGE_SHIFT, r->r8 >> PAGE_SHIFT);
	unwalk_exclusive(target);
	return status;
}

/* ---- PAMT.REMOVE ---- */

static u64 remove_locked(unsigned long target, struct seam_regs *r)
{
	struct pamt_2m *e = entry_2m(target);

	if (e->type != PT_PAMT)
		return NO_PAMT_PAGE_PAIR | OPERAND_RCX;
	if (inject(pamt_model_fail_remove_permille))
		return PAMT_PAGE_NOT_EMPTY;
	must(e->page_count == 0);
	must(test_and_clear_bit(e->pfn0, bitmap));
	must(test_and_clear_bit(e->pfn1, bitmap));
	r->rdx = (u64)e->pfn0 << PAGE_SHIFT;
	r->r8 = (u64)e->pfn1 << PAGE_SHIFT;
	e->type = PT_NDA;
	atomic_long_dec(&pairs);
	return 0;
}

static u64 pamt_remove(struct seam_regs *r)
{
	unsigned long target = r->rcx >> PAGE_SHIFT;
	u64 status;

	if (!pamt_model_dynamic)
		return OPERAND_INVALID | OPERAND_RAX;
	status = check_region(r->rcx, 1);
	if (status)
		return status;
	if (target >= pages)
		return ADDR_RANGE_ERROR | OPERAND_RCX;
	if (inject(pamt_model_busy_permille) || !walk_exclusive(target))
		return OPERAND_BUSY | OPERAND_RCX;
	status = remove_locked(target, r);
	unwalk_exclusive(target);
	return status;
}

/* ---- leaves that read ---- */

static u64 page_rdmd(struct seam_regs *r)
{
	unsigned long pfn = (r->rcx & ~7ULL) >> PAGE_SHIFT;
	u64 level = r->rcx & 7;
	struct pamt_2m *e;
	struct walk w;
	u64 status;

	if (level > 2)
		return OPERAND_INVALID | OPERAND_RCX;
	status = check_region(r->rcx, level);
	if (status)
		return status;
	if (pfn >= pages)
		return ADDR_RANGE_ERROR | OPERAND_RCX;
	if (!walk_shared(&w, pfn, level))
		return OPERAND_BUSY | OPERAND_RCX;
	e = entry_2m(pfn);
	r->rcx = r->rdx = r->r9 = r->r10 = r->r11 = 0;
	/* A walk to a 4K page stops at the 2M entry of a region without a pair. */
	r->r8 = level == 0 && !w.held_4k ? 1 : level;
	if (level == 1 && e->type == PT_PAMT) {
		r->rcx = BIT_ULL(63) | PT_PAMT;
		r->r10 = (u64)e->pfn0 << PAGE_SHIFT;
		r->r11 = (u64)e->pfn1 << PAGE_SHIFT;
	}
	unwalk_shared(&w);
	return 0;
}

static u64 sys_rd(struct seam_regs *r)
{
	switch (r->rdx) {
	case 0x0a00000300000008ULL: /* TDX_FEATURES0: dynamic PAMT, host priority locks */
		r->r8 = BIT_ULL(36) | BIT_ULL(10);
		return 0;
	case 0x0800000100000003ULL: /* minor version */
		r->r8 = 5;
		return 0;
	case 0x0800000100000004ULL: /* major version */
		r->r8 = 1;
		return 0;
	case 0x0800000100000005ULL: /* update version */
		r->r8 = 25;
		return 0;
	case 0x9100000100000010ULL: /* PAMT_4K_ENTRY_SIZE */
	case 0x9100000100000011ULL: /* PAMT_2M_ENTRY_SIZE */
	case 0x9100000100000012ULL: /* PAMT_1G_ENTRY_SIZE */
		r->r8 = 16;
		return 0;
	case 0x9100000000000013ULL: /* PAMT_PAGE_BITMAP_ENTRY_BITS */
		r->r8 = 1;
		return 0;
	}
	return FIELD_ID_INCORRECT;
}

void pamt_model_call(struct seam_regs *r)
{
	atomic_long_inc(&calls);
	if (pamt_model_slow_us)
		udelay(pamt_model_slow_us);
	switch (r->rax) {
	case LEAF_PAMT_ADD:
		r->rax = pamt_add(r);
		break;
	case LEAF_PAMT_REMOVE:
		r->rax = pamt_remove(r);
		break;
	case LEAF_PAGE_RDMD:
		r->rax = page_rdmd(r);
		break;
	case LEAF_SYS_RD:
		r->rax = sys_rd(r);
		break;
	default:
		r->rax = OPERAND_INVALID | OPERAND_RAX;
	}
	if (r->rax >> 32 == OPERAND_BUSY >> 32)
		atomic_long_inc(&busy);
}

/* Physical memory, as far as there are page structures. */
static unsigned long end_of_memory(void)
{
	unsigned long pfn = 0;
	unsigned long end = 0;

	for (; pfn < 1UL << 24; pfn += PAGES_PER_SECTION)
		if (pfn_valid(pfn))
			end = pfn + PAGES_PER_SECTION;
	return end;
}

int pamt_model_init(void)
{
	pages = end_of_memory();
	pamt_1g = vzalloc(((pages >> 18) + 1) * sizeof(*pamt_1g));
	pamt_2m = vzalloc(((pages >> 9) + 1) * sizeof(*pamt_2m));
	pamt_4k = vzalloc(pages * sizeof(*pamt_4k));
	bitmap = vzalloc(BITS_TO_LONGS(pages) * sizeof(*bitmap));
	if (pamt_1g && pamt_2m && pamt_4k && bitmap)
		return 0;
	pamt_model_exit();
	return -ENOMEM;
}

void pamt_model_exit(void)
{
	vfree(bitmap);
	vfree(pamt_4k);
	vfree(pamt_2m);
	vfree(pamt_1g);
}
