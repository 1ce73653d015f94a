/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ABI of /dev/pamt_hw: SEAMCALLs on memory that the helper owns.
 *
 * Memory is named by (region, page): region is an index into the regions that this open file has
 * allocated, page one of its 512 pages. A physical address never crosses this border, in either
 * direction. Every reserved field and every undefined flag must be 0, or the call fails with EINVAL.
 * All times are TSC ticks. Errors are negative errno values; a SEAMCALL that reached the module (or
 * failed to) reports its own 64-bit status in the structure instead.
 */
#ifndef PAMT_HW_H
#define PAMT_HW_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Incremented with every incompatible change. */
#define PAMT_HW_ABI_VERSION	2

#define PAMT_HW_DEVICE		"pamt_hw"

/* Leaves that a caller may ask for. */
#define PAMT_HW_PAGE_RDMD	24
#define PAMT_HW_SYS_RD		34
#define PAMT_HW_PAMT_ADD	58
#define PAMT_HW_PAMT_REMOVE	59

/* Statuses that no module returns: the instruction itself failed. Bits 47:40 are all ones. */
#define PAMT_HW_SW_ERROR	0x8000ff0000000000ULL
/* The SEAMCALL instruction raised #UD (no SEAM, or VMX is off on that CPU). */
#define PAMT_HW_SEAMCALL_UD	(PAMT_HW_SW_ERROR | 6)
/* It raised #GP (VMX on, but no TDX module behind it). */
#define PAMT_HW_SEAMCALL_GP	(PAMT_HW_SW_ERROR | 13)
/* It set CF: VMfailInvalid, the module is not loaded or not initialised. */
#define PAMT_HW_SEAMCALL_VMFAIL	(PAMT_HW_SW_ERROR | 0xffff0000)

/* Bits of pamt_hw_probe.flags. */
#define PAMT_HW_F_HYPERVISOR	(1u << 0)	/* CPUID.1:ECX[31] */
#define PAMT_HW_F_MOVDIR64B	(1u << 1)	/* CPUID.7:ECX[28] */
#define PAMT_HW_F_MODULE	(1u << 2)	/* TDH.SYS.RD succeeds */
#define PAMT_HW_F_DPAMT_FEATURE	(1u << 3)	/* TDX_FEATURES0 bit 36 */
#define PAMT_HW_F_DPAMT_ON	(1u << 4)	/* PAMT.REMOVE of an empty region: NO_PAMT_PAGE_PAIR */
#define PAMT_HW_F_SEAMRR	(1u << 5)	/* IA32_MTRRCAP[15] */

struct pamt_hw_probe {
	__u32 abi_version;
	__u32 flags;
	__u64 seamcall_status;	/* of TDH.SYS.RD(TDX_FEATURES0) */
	__u64 features0;
	__u64 dpamt_status;	/* of the PAMT.REMOVE behind PAMT_HW_F_DPAMT_ON */
	__u32 module_major;
	__u32 module_minor;
	__u32 module_update;
	__u32 tdx_key_ids;	/* IA32_MKTME_KEYID_PARTITIONING[63:32] */
	__u32 tsc_khz;
	__u32 max_regions;	/* of all open files together */
	__u32 pinned_regions;	/* could not be taken back from the module, lost until reboot */
	__u32 online_cpus;
};

struct pamt_hw_alloc {
	__u32 count;		/* regions of 2 MiB */
	__u32 flags;		/* 0 */
	__s32 node;		/* NUMA node, -1: any */
	__u32 first;		/* out: index of the first new one */
	__u32 total;		/* out: regions of this file */
	__u32 reserved;
};

struct pamt_hw_page {
	__u32 region;
	__u32 page;
};

struct pamt_hw_leaf {
	__u32 leaf;
	__u32 flags;			/* 0 */
	struct pamt_hw_page target;	/* page is used by RDMD at level 0 only */
	struct pamt_hw_page pair[2];	/* in: ADD; out: REMOVE, RDMD of a region with a pair */
	__u32 level;			/* RDMD: 0 (4 KiB), 1 (2 MiB), 2 (1 GiB); else 0 */
	__u32 reserved;
	__u64 field;			/* SYS.RD: metadata field id; else 0 */
	__u64 status;			/* out */
	__u64 value;			/* out: RDMD's RCX, SYS.RD's R8 */
	__u64 tsc_start;		/* out: just before the instruction */
	__u64 tsc_end;			/* out: just after it */
};

/* A page outside the caller's regions, where one must be named (a returned pair). */
#define PAMT_HW_FOREIGN		0xffffffffu

#define PAMT_HW_BATCH_MAX	4096
#define PAMT_HW_BATCH_STOP	(1u << 0)	/* stop after the first status with bit 63 */

struct pamt_hw_batch {
	__u64 entries;		/* pointer to struct pamt_hw_leaf[count], updated in place */
	__u32 count;
	__u32 flags;
	__u32 done;		/* out */
	__u32 reserved;
};

/* The C twins of the strategies. */
#define PAMT_HW_GLOBAL		0	/* v6: inc_not_zero, one spinlock, dec_and_lock */
#define PAMT_HW_SIMPLE		1	/* the lock on every get and put; probably what is queued */
#define PAMT_HW_STRIPED		2	/* as global, one spinlock of `stripes` by region number */
#define PAMT_HW_PER_2M		3	/* as global, a bit spinlock in bit 31 of each refcount */
#define PAMT_HW_PARKED		4	/* a state machine in the refcount; pairs stay for a while */
#define PAMT_HW_STRATEGIES	5

/* STRIPED and PER_2M: an ADD also holds the locks of its backing pages' regions, in index order. */
#define PAMT_HW_COVER		(1u << 0)

#define PAMT_HW_MAX_PARK	64
#define PAMT_HW_MAX_RETRIES	1000000
#define PAMT_HW_MAX_STRIPES	4096
#define PAMT_HW_MAX_THREADS	512
#define PAMT_HW_MAX_OPS		10000000
#define PAMT_HW_MAX_RUN_MS	60000
#define PAMT_HW_MAX_DEPTH	64

/*
 * Latency histogram: values below 32 have a bucket each; above, 32 buckets a power of two.
 * Bucket of v >= 32: e = 63 - clz(v); 32 * (e - 4) + ((v >> (e - 5)) & 31).
 */
#define PAMT_HW_BUCKETS		1920

struct pamt_hw_histogram {
	__u64 count;
	__u64 sum;
	__u64 min;
	__u64 max;
	__u64 bucket[PAMT_HW_BUCKETS];
};

/* Which operand a BUSY blamed: PAMT.ADD and PAMT.REMOVE name these. */
#define PAMT_HW_BUSY_RCX	0	/* the target region */
#define PAMT_HW_BUSY_RDX	1	/* the first backing page */
#define PAMT_HW_BUSY_R8		2	/* the second */
#define PAMT_HW_BUSY_OTHER	3
#define PAMT_HW_BUSY_SLOTS	4

struct pamt_hw_run_result {
	struct pamt_hw_histogram get;
	struct pamt_hw_histogram put;
	struct pamt_hw_histogram add;		/* PAMT.ADD alone */
	struct pamt_hw_histogram remove;	/* PAMT.REMOVE alone */
	__u64 busy_add[PAMT_HW_BUSY_SLOTS];	/* OPERAND_BUSY, retried or not */
	__u64 busy_remove[PAMT_HW_BUSY_SLOTS];
	__u64 failed_get;		/* returned an error to the workload */
	__u64 failed_put;
	__u64 missing_pair;		/* a held region had no pair: a violation */
	__u64 left_refcounts;		/* sum of refcounts at the end: 0 when balanced */
	__u64 left_pairs;		/* pairs with the module at the end: 0 when balanced */
	__u64 lost_pages;		/* backing pages neither free nor with the module: 0 */
	__u64 pairs_added;
	__u64 pairs_removed;
	__u64 elapsed;
	__u64 last_error;		/* status of the last SEAMCALL that failed a get or put */
};

struct pamt_hw_run {
	__u32 strategy;
	__u32 stripes;		/* STRIPED: number of locks, a power of two; else 0 */
	__u32 threads;
	__u32 depth;		/* references that a thread holds at once */
	__u32 regions;		/* targets are regions 0 .. regions - 1 */
	__u32 backing;		/* backing pages come from regions regions .. regions + backing - 1 */
	__u32 ops;		/* gets a thread */
	__u32 max_ms;		/* 0: PAMT_HW_MAX_RUN_MS */
	__u64 seed;
	__u64 result;		/* pointer to struct pamt_hw_run_result */
	__u64 cpus;		/* pointer to __u32[threads]: CPU of each thread */
	__u32 flags;		/* 0 or PAMT_HW_COVER */
	__u32 retries;		/* STRIPED and PER_2M: of a SEAMCALL that met BUSY; else 0 */
	__u32 park;		/* PARKED: regions without a page whose pair a CPU keeps; else 0 */
	__u32 reserved;
};

#define PAMT_HW_OP_GET		0
#define PAMT_HW_OP_PUT		1
#define PAMT_HW_OP_QUIESCE	2	/* region is 0 */

struct pamt_hw_op {
	__u32 op;
	__u32 region;
};

/* One SEAMCALL, or (leaf 0) the end of an operation. */
struct pamt_hw_event {
	__u32 leaf;
	__u32 region;
	__u64 status;		/* of the SEAMCALL; at the end of an operation its errno, 0 or positive */
	__u32 refcount;		/* at the end of an operation: of its region */
	__u32 reserved;
};

#define PAMT_HW_SCRIPT_MAX	65536

/* Runs operations with one C twin on one CPU and lists every SEAMCALL that they made. */
struct pamt_hw_script {
	__u32 strategy;
	__u32 stripes;
	__u32 regions;
	__u32 backing;
	__u64 ops;		/* pointer to struct pamt_hw_op[op_count] */
	__u64 events;		/* pointer to struct pamt_hw_event[event_capacity] */
	__u32 op_count;
	__u32 event_capacity;
	__u32 event_count;	/* out */
	__u32 flags;		/* 0 or PAMT_HW_COVER */
	__u32 retries;
	__u32 park;
};

#define PAMT_HW_IOC		0xb8
#define PAMT_HW_IOC_PROBE	_IOR(PAMT_HW_IOC, 0, struct pamt_hw_probe)
#define PAMT_HW_IOC_ALLOC	_IOWR(PAMT_HW_IOC, 1, struct pamt_hw_alloc)
#define PAMT_HW_IOC_FREE	_IO(PAMT_HW_IOC, 2)
#define PAMT_HW_IOC_LEAF	_IOWR(PAMT_HW_IOC, 3, struct pamt_hw_leaf)
#define PAMT_HW_IOC_BATCH	_IOWR(PAMT_HW_IOC, 4, struct pamt_hw_batch)
#define PAMT_HW_IOC_RUN		_IOW(PAMT_HW_IOC, 5, struct pamt_hw_run)
#define PAMT_HW_IOC_SCRIPT	_IOWR(PAMT_HW_IOC, 6, struct pamt_hw_script)

#endif
