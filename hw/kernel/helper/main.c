// SPDX-License-Identifier: GPL-2.0
/*
 * pamt_hw: a character device through which pamt-bench makes Dynamic PAMT SEAMCALLs on memory of its
 * own. See ../include/pamt_hw.h for the ABI and docs/running-on-tdx.md for what it touches.
 *
 * The node is mode 0600 and opening it takes CAP_SYS_ADMIN as well. An open file holds a reference on
 * the module, so it cannot be unloaded while a call or an in-kernel run is in progress.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "internal.h"

#define MAX_REGIONS_LIMIT	65536	/* 128 GiB */

static int pamt_hw_open(struct inode *inode, struct file *file)
{
	struct session *s;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	s = pamt_hw_session_new();
	if (!s)
		return -ENOMEM;
	file->private_data = s;
	return nonseekable_open(inode, file);
}

static int pamt_hw_release(struct inode *inode, struct file *file)
{
	pamt_hw_session_release(file->private_data);
	return 0;
}

static long do_probe(void __user *user)
{
	struct pamt_hw_probe arg;

	pamt_hw_probe(&arg);
	return copy_to_user(user, &arg, sizeof(arg)) ? -EFAULT : 0;
}

static long do_alloc(struct session *s, void __user *user)
{
	struct pamt_hw_alloc arg;
	long error;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	error = pamt_hw_session_alloc(s, &arg);
	if (error)
		return error;
	return copy_to_user(user, &arg, sizeof(arg)) ? -EFAULT : 0;
}

static long do_leaf(struct session *s, void __user *user)
{
	struct pamt_hw_leaf arg;
	long error;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	error = pamt_hw_leaf(s, &arg);
	if (error)
		return error;
	return copy_to_user(user, &arg, sizeof(arg)) ? -EFAULT : 0;
}

static long do_batch(struct session *s, void __user *user)
{
	struct pamt_hw_batch arg;
	long error;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	error = pamt_hw_batch(s, &arg);
	/* `done` also says how far a failed batch came. */
	return copy_to_user(user, &arg, sizeof(arg)) ? -EFAULT : error;
}

static long do_run(struct session *s, void __user *user)
{
	struct pamt_hw_run arg;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	return pamt_hw_run(s, &arg);
}

static long do_script(struct session *s, void __user *user)
{
	struct pamt_hw_script arg;
	long error;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	error = pamt_hw_script(s, &arg);
	return copy_to_user(user, &arg, sizeof(arg)) ? -EFAULT : error;
}

/* Commands that use the regions as they are, side by side. */
static long shared_command(struct session *s, unsigned int command, void __user *user)
{
	long result;

	if (down_read_killable(&s->lock))
		return -EINTR;
	if (command == PAMT_HW_IOC_LEAF)
		result = do_leaf(s, user);
	else
		result = do_batch(s, user);
	up_read(&s->lock);
	return result;
}

/* Commands that need the regions for themselves. */
static long exclusive_command(struct session *s, unsigned int command, void __user *user)
{
	long result = 0;

	if (down_write_killable(&s->lock))
		return -EINTR;
	if (command == PAMT_HW_IOC_ALLOC)
		result = do_alloc(s, user);
	else if (command == PAMT_HW_IOC_FREE)
		pamt_hw_session_free(s);
	else if (command == PAMT_HW_IOC_RUN)
		result = do_run(s, user);
	else
		result = do_script(s, user);
	up_write(&s->lock);
	return result;
}

static long pamt_hw_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	struct session *s = file->private_data;
	void __user *user = (void __user *)arg;

	switch (command) {
	case PAMT_HW_IOC_PROBE:
		return do_probe(user);
	case PAMT_HW_IOC_LEAF:
	case PAMT_HW_IOC_BATCH:
		return shared_command(s, command, user);
	case PAMT_HW_IOC_ALLOC:
	case PAMT_HW_IOC_FREE:
	case PAMT_HW_IOC_RUN:
	case PAMT_HW_IOC_SCRIPT:
		return exclusive_command(s, command, user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations pamt_hw_fops = {
	.owner = THIS_MODULE,
	.open = pamt_hw_open,
	.release = pamt_hw_release,
	.unlocked_ioctl = pamt_hw_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice pamt_hw_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = PAMT_HW_DEVICE,
	.fops = &pamt_hw_fops,
	.mode = 0600,
};

static int __init pamt_hw_init(void)
{
	if (!pamt_hw_max_regions || pamt_hw_max_regions > MAX_REGIONS_LIMIT)
		return -EINVAL;
	return misc_register(&pamt_hw_device);
}

static void __exit pamt_hw_exit(void)
{
	misc_deregister(&pamt_hw_device);
	pamt_hw_probe_exit();
}

module_init(pamt_hw_init);
module_exit(pamt_hw_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Dynamic PAMT SEAMCALLs for pamt-bench");
