// SPDX-License-Identifier: GPL-2.0
/*
 * In-kernel runs: kernel threads bound to CPUs execute a C twin. Each thread takes references on
 * random regions, holds `depth` of them at a time, and puts the oldest back. While it holds one, the
 * region must have its pair; at the end all refcounts are 0 and all pairs are back.
 */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/kthread.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "twins.h"

struct run {
	struct twin twin;
	struct completion start;
	struct completion done;
	atomic_t running;
	bool stop;
	u32 ops;
	u32 depth;
};

struct thread {
	struct worker worker;
	struct run *run;
	struct task_struct *task;
	u64 random;
	u32 held[PAMT_HW_MAX_DEPTH];
	u32 first;
	u32 count;
};

/* xorshift64*: the run is reproducible from its seed as far as threads allow. */
static u32 next_random(struct thread *t)
{
	t->random ^= t->random >> 12;
	t->random ^= t->random << 25;
	t->random ^= t->random >> 27;
	return (t->random * 0x2545f4914f6cdd1dULL) >> 32;
}

static void check_pair(struct thread *t, u32 region)
{
	if (atomic_read(&t->run->twin.s->regions[region].pairs) != 1)
		t->worker.result->missing_pair++;
}

static void get(struct thread *t, u32 region)
{
	u64 begin = rdtsc_ordered();
	int error = t->run->twin.strategy->get(&t->worker, region);

	pamt_hw_record(&t->worker.result->get, rdtsc_ordered() - begin);
	if (error) {
		t->worker.result->failed_get++;
		return;
	}
	check_pair(t, region);
	t->held[(t->first + t->count++) % PAMT_HW_MAX_DEPTH] = region;
}

static void put_oldest(struct thread *t)
{
	u32 region = t->held[t->first];
	u64 begin;
	int error;

	t->first = (t->first + 1) % PAMT_HW_MAX_DEPTH;
	t->count--;
	check_pair(t, region);
	begin = rdtsc_ordered();
	error = t->run->twin.strategy->put(&t->worker, region);
	pamt_hw_record(&t->worker.result->put, rdtsc_ordered() - begin);
	if (error)
		t->worker.result->failed_put++;
}

static int work(void *data)
{
	struct thread *t = data;
	struct run *run = t->run;
	u32 op;

	wait_for_completion(&run->start);
	for (op = 0; op < run->ops && !READ_ONCE(run->stop); op++) {
		if (t->count == run->depth)
			put_oldest(t);
		get(t, next_random(t) % run->twin.regions);
		cond_resched();
	}
	while (t->count)
		put_oldest(t);
	pamt_hw_stash_empty(&t->worker);
	if (atomic_dec_and_test(&run->running))
		complete(&run->done);
	return 0;
}

static void add_histogram(struct pamt_hw_histogram *to, const struct pamt_hw_histogram *from)
{
	u32 i;

	if (!from->count)
		return;
	to->min = to->count ? min(to->min, from->min) : from->min;
	to->max = max(to->max, from->max);
	to->count += from->count;
	to->sum += from->sum;
	for (i = 0; i < PAMT_HW_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

static void add_result(struct pamt_hw_run_result *to, const struct pamt_hw_run_result *from)
{
	u32 i;

	add_histogram(&to->get, &from->get);
	add_histogram(&to->put, &from->put);
	add_histogram(&to->add, &from->add);
	add_histogram(&to->remove, &from->remove);
	for (i = 0; i < PAMT_HW_BUSY_SLOTS; i++) {
		to->busy_add[i] += from->busy_add[i];
		to->busy_remove[i] += from->busy_remove[i];
	}
	to->failed_get += from->failed_get;
	to->failed_put += from->failed_put;
	to->missing_pair += from->missing_pair;
	to->pairs_added += from->pairs_added;
	to->pairs_removed += from->pairs_removed;
	to->lost_pages += from->lost_pages;
	if (from->last_error)
		to->last_error = from->last_error;
}

/* The books, when all threads have ended. */
static void audit(const struct twin *t, struct pamt_hw_run_result *r)
{
	u64 pairs = 0;
	u64 total = (u64)t->backing * PAGES_PER_REGION / 2;
	u32 i;

	for (i = 0; i < t->regions; i++) {
		r->left_refcounts += pamt_hw_refcount(t, i);
		pairs += atomic_read(&t->s->regions[i].pairs);
	}
	r->left_pairs = pairs;
	r->lost_pages = 2 * (total - pairs - t->pool.count);
}

static int prepare(struct thread *t, struct run *run, u64 seed, u32 index)
{
	t->run = run;
	t->random = (seed + index + 1) * 0x9e3779b97f4a7c15ULL ?: 1;
	t->worker.t = &run->twin;
	t->worker.result = vzalloc(sizeof(*t->worker.result));
	return t->worker.result ? 0 : -ENOMEM;
}

/* Creates a thread bound to an online CPU; it waits for the start. */
static int spawn(struct thread *t, u32 cpu, u32 index)
{
	int error = -EINVAL;

	cpus_read_lock();
	if (cpu < nr_cpu_ids && cpu_online(cpu)) {
		t->task = kthread_create(work, t, "pamt_hw/%u", index);
		error = PTR_ERR_OR_ZERO(t->task);
		if (error)
			t->task = NULL;
		else
			kthread_bind(t->task, cpu);
	}
	cpus_read_unlock();
	if (!error)
		get_task_struct(t->task);
	return error;
}

/* Wakes the threads, lets them run, and waits until the last has put back what it held. */
static int drive(struct run *run, struct thread *threads, u32 count, u32 max_ms, u64 *elapsed)
{
	u64 begin;
	long left;
	u32 i;

	atomic_set(&run->running, count);
	for (i = 0; i < count; i++)
		wake_up_process(threads[i].task);
	begin = rdtsc_ordered();
	complete_all(&run->start);
	left = wait_for_completion_interruptible_timeout(&run->done, msecs_to_jiffies(max_ms));
	if (left <= 0) {
		WRITE_ONCE(run->stop, true);
		wait_for_completion(&run->done);
	}
	*elapsed = rdtsc_ordered() - begin;
	return left < 0 ? -EINTR : left ? 0 : -ETIME;
}

static int execute(struct run *run, struct thread *threads, const struct pamt_hw_run *arg,
		   const u32 *cpus, struct pamt_hw_run_result *total)
{
	int error = 0;
	u32 created;
	u32 i;

	for (i = 0; i < arg->threads && !error; i++)
		error = prepare(&threads[i], run, arg->seed, i);
	for (created = 0; created < arg->threads && !error; created += !error)
		error = spawn(&threads[created], cpus[created], created);
	if (!error)
		error = drive(run, threads, arg->threads,
			      arg->max_ms ?: PAMT_HW_MAX_RUN_MS, &total->elapsed);
	for (i = 0; i < created; i++) {
		/* A thread that was never woken ends here without running. */
		kthread_stop(threads[i].task);
		put_task_struct(threads[i].task);
	}
	if (threads[0].worker.result) {
		threads[0].worker.result->failed_put += !!pamt_hw_quiesce(&threads[0].worker);
		pamt_hw_stash_empty(&threads[0].worker);
	}
	for (i = 0; i < arg->threads && threads[i].worker.result; i++) {
		add_result(total, threads[i].worker.result);
		vfree(threads[i].worker.result);
	}
	audit(&run->twin, total);
	return error;
}

static int check(const struct pamt_hw_run *arg)
{
	if (arg->reserved || arg->max_ms > PAMT_HW_MAX_RUN_MS)
		return -EINVAL;
	if (!arg->threads || arg->threads > PAMT_HW_MAX_THREADS)
		return -EINVAL;
	if (!arg->depth || arg->depth > PAMT_HW_MAX_DEPTH)
		return -EINVAL;
	return arg->ops && arg->ops <= PAMT_HW_MAX_OPS ? 0 : -EINVAL;
}

int pamt_hw_run(struct session *s, const struct pamt_hw_run *arg)
{
	const struct twin_args args = {
		.strategy = arg->strategy, .stripes = arg->stripes, .flags = arg->flags,
		.retries = arg->retries, .park = arg->park, .regions = arg->regions,
		.backing = arg->backing, .threads = arg->threads,
	};
	struct pamt_hw_run_result *total = NULL;
	struct thread *threads = NULL;
	struct run *run = NULL;
	u32 *cpus = NULL;
	int error = check(arg);

	if (error)
		return error;
	error = -ENOMEM;
	run = vzalloc(sizeof(*run));
	threads = vzalloc(array_size(arg->threads, sizeof(*threads)));
	total = vzalloc(sizeof(*total));
	cpus = vmalloc(array_size(arg->threads, sizeof(*cpus)));
	if (!run || !threads || !total || !cpus)
		goto out;
	error = -EFAULT;
	if (copy_from_user(cpus, u64_to_user_ptr(arg->cpus), arg->threads * sizeof(*cpus)))
		goto out;
	error = pamt_hw_twin_init(&run->twin, s, &args);
	if (error)
		goto out;
	init_completion(&run->start);
	init_completion(&run->done);
	run->ops = arg->ops;
	run->depth = arg->depth;
	error = execute(run, threads, arg, cpus, total);
	pamt_hw_twin_destroy(&run->twin);
	if ((!error || error == -ETIME) &&
	    copy_to_user(u64_to_user_ptr(arg->result), total, sizeof(*total)))
		error = -EFAULT;
out:
	vfree(cpus);
	vfree(total);
	vfree(threads);
	vfree(run);
	return error;
}
