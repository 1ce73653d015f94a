// SPDX-License-Identifier: GPL-2.0
/*
 * Script runs: a list of gets, puts and quiesces with a C twin, in order, on one thread. Every SEAMCALL and the
 * refcount after each operation are listed, to be compared with the same script under the Rust source.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "twins.h"

static int step(struct worker *w, const struct pamt_hw_op *op)
{
	struct twin *t = w->t;
	int error;

	if (op->region >= t->regions || op->op > PAMT_HW_OP_QUIESCE)
		return -EINVAL;
	/* A put without a get is a caller's bug, in the kernel as well: not part of any protocol. */
	if (op->op == PAMT_HW_OP_PUT && !pamt_hw_refcount(t, op->region))
		return -EINVAL;
	if (op->op == PAMT_HW_OP_GET)
		error = t->strategy->get(w, op->region);
	else if (op->op == PAMT_HW_OP_PUT)
		error = t->strategy->put(w, op->region);
	else
		error = pamt_hw_quiesce(w);
	pamt_hw_event(w, 0, op->region, -error, pamt_hw_refcount(t, op->region));
	return 0;
}

static int execute(struct worker *w, const struct pamt_hw_op __user *ops, u32 count)
{
	struct pamt_hw_op op;
	u32 i;

	for (i = 0; i < count; i++) {
		int error;

		if (copy_from_user(&op, ops + i, sizeof(op)))
			return -EFAULT;
		error = step(w, &op);
		if (error)
			return error;
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

int pamt_hw_script(struct session *s, struct pamt_hw_script *arg)
{
	const struct twin_args args = {
		.strategy = arg->strategy, .stripes = arg->stripes, .flags = arg->flags,
		.retries = arg->retries, .park = arg->park, .regions = arg->regions,
		.backing = arg->backing, .threads = 1,
	};
	struct worker worker = { };
	struct twin twin;
	int error;

	if (arg->event_count || !arg->op_count || !arg->event_capacity)
		return -EINVAL;
	if (arg->op_count > PAMT_HW_SCRIPT_MAX || arg->event_capacity > PAMT_HW_SCRIPT_MAX)
		return -EINVAL;
	error = pamt_hw_twin_init(&twin, s, &args);
	if (error)
		return error;
	worker.t = &twin;
	worker.event_capacity = arg->event_capacity;
	worker.events = vzalloc(array_size(arg->event_capacity, sizeof(*worker.events)));
	worker.result = vzalloc(sizeof(*worker.result));
	error = -ENOMEM;
	if (worker.events && worker.result)
		error = execute(&worker, u64_to_user_ptr(arg->ops), arg->op_count);
	if (!error && worker.events_lost)
		error = -EOVERFLOW;
	arg->event_count = worker.event_count;
	if (!error && copy_to_user(u64_to_user_ptr(arg->events), worker.events,
				   worker.event_count * sizeof(*worker.events)))
		error = -EFAULT;
	vfree(worker.events);
	vfree(worker.result);
	pamt_hw_twin_destroy(&twin);
	return error;
}
