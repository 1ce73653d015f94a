/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The TDX module's sharex_hp lock, host side: bit 0 exclusive, bit 1 host priority, bits 15:2 readers.
 * Every function is try-once; every sharex_hp_*() primitive below is one locked instruction. The
 * transitions are those of sim/src/tdx/locks/vectors.txt, against which check_vectors.c tests this
 * file in userspace.
 *
 * The includer provides u16 and bool, and may define SHAREX_HP_COUNT() to count instructions.
 */
#ifndef SHAREX_HP_H
#define SHAREX_HP_H

#ifndef SHAREX_HP_COUNT
#define SHAREX_HP_COUNT() do { } while (0)
#endif

#define SHAREX_HP_EXCLUSIVE	1
#define SHAREX_HP_HOST_PRIORITY	2
#define SHAREX_HP_READER	4

/* Compiler builtins: the same source is compiled for the kernel and for the userspace check. */
static inline u16 sharex_hp_add(u16 *lock, int value)
{
	SHAREX_HP_COUNT();
	return __atomic_fetch_add(lock, (u16)value, __ATOMIC_SEQ_CST);
}

static inline u16 sharex_hp_or(u16 *lock, u16 value)
{
	SHAREX_HP_COUNT();
	return __atomic_fetch_or(lock, value, __ATOMIC_SEQ_CST);
}

static inline u16 sharex_hp_and(u16 *lock, u16 value)
{
	SHAREX_HP_COUNT();
	return __atomic_fetch_and(lock, value, __ATOMIC_SEQ_CST);
}

/* Returns what was found. */
static inline u16 sharex_hp_cas(u16 *lock, u16 expected, u16 value)
{
	SHAREX_HP_COUNT();
	__atomic_compare_exchange_n(lock, &expected, value, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	return expected;
}

/* On failure the increment stays; the exclusive holder's release wipes it. */
static inline bool sharex_hp_acquire_shared(u16 *lock)
{
	u16 old = sharex_hp_add(lock, SHAREX_HP_READER);

	if (old & SHAREX_HP_EXCLUSIVE) {
		sharex_hp_or(lock, SHAREX_HP_HOST_PRIORITY);
		return false;
	}
	if (old & SHAREX_HP_HOST_PRIORITY)
		sharex_hp_and(lock, (u16)~SHAREX_HP_HOST_PRIORITY);
	return true;
}

/* From `held` (what the caller itself has in the word) to exclusive. */
static inline bool sharex_hp_exclusive_from(u16 *lock, u16 held)
{
	u16 waiting = held | SHAREX_HP_HOST_PRIORITY;
	u16 found = sharex_hp_cas(lock, held, SHAREX_HP_EXCLUSIVE);

	if (found == held)
		return true;
	if (found == waiting)
		return sharex_hp_cas(lock, waiting, SHAREX_HP_EXCLUSIVE) == waiting;
	sharex_hp_or(lock, SHAREX_HP_HOST_PRIORITY);
	return false;
}

static inline bool sharex_hp_acquire_exclusive(u16 *lock)
{
	return sharex_hp_exclusive_from(lock, 0);
}

/* The caller keeps its shared hold when this fails. */
static inline bool sharex_hp_promote(u16 *lock)
{
	return sharex_hp_exclusive_from(lock, SHAREX_HP_READER);
}

/* False when nobody held it so: the module would shut down. */
static inline bool sharex_hp_release_shared(u16 *lock)
{
	u16 old = sharex_hp_add(lock, -SHAREX_HP_READER);

	return !(old & SHAREX_HP_EXCLUSIVE) && old >= SHAREX_HP_READER;
}

static inline bool sharex_hp_release_exclusive(u16 *lock)
{
	return sharex_hp_and(lock, SHAREX_HP_HOST_PRIORITY) & SHAREX_HP_EXCLUSIVE;
}

#endif
