/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the helper share. */
#ifndef PAMT_HW_INTERNAL_H
#define PAMT_HW_INTERNAL_H

#include <linux/atomic.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/rwsem.h>
#include <linux/types.h>

#include "pamt_hw.h"

#define PAGES_PER_REGION	512
#define REGION_ORDER		9

/* Statuses of the module that the helper must know (upper half). */
#define TDX_OPERAND_BUSY	0x8000020000000000ULL
#define TDX_NO_PAMT_PAGE_PAIR	0xc000030500000000ULL
#define TDX_STATUS_MASK		0xffffffff00000000ULL

/* Registers of a SEAMCALL besides RAX. */
struct seam_regs {
	u64 rcx, rdx, r8, r9, r10, r11;
};

u64 pamt_hw_seamcall(u64 leaf, struct seam_regs *regs);

/* A 2 MiB region that the helper owns. */
struct region {
	struct page *page;
	atomic_t pairs;		/* successful ADDs minus successful REMOVEs */
};

/*
 * What one open file owns. `lock` is held for reading by whatever makes SEAMCALLs on user-chosen
 * pages, for writing by whatever changes the set of regions or needs all of them for itself.
 */
struct session {
	struct rw_semaphore lock;
	u32 count;
	u32 capacity;
	struct region *regions;
};

extern unsigned int pamt_hw_max_regions;

struct session *pamt_hw_session_new(void);
int pamt_hw_session_alloc(struct session *s, struct pamt_hw_alloc *arg);
void pamt_hw_session_free(struct session *s);
void pamt_hw_session_release(struct session *s);
u32 pamt_hw_pinned_regions(void);
phys_addr_t pamt_hw_phys(struct session *s, u32 region, u32 page);
struct pamt_hw_page pamt_hw_page_of(struct session *s, phys_addr_t phys);

/* PAMT.ADD and PAMT.REMOVE of a region, with the books kept. */
u64 pamt_hw_add(struct session *s, u32 region, const phys_addr_t pair[2]);
u64 pamt_hw_remove(struct session *s, u32 region, phys_addr_t pair[2]);

void pamt_hw_probe(struct pamt_hw_probe *probe);
void pamt_hw_probe_exit(void);
int pamt_hw_leaf(struct session *s, struct pamt_hw_leaf *leaf);
int pamt_hw_batch(struct session *s, struct pamt_hw_batch *batch);
int pamt_hw_run(struct session *s, const struct pamt_hw_run *run);
int pamt_hw_script(struct session *s, struct pamt_hw_script *script);

#endif
