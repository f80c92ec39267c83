// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifiers that do nothing, so that only the core's own cost is measured.
 *
 * They are in one array and are registered from the last one to the first.  So a
 * kernel that adds a notifier at the head of the list and a kernel that sorts the
 * list by address both traverse them in the order of the array.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timex.h>
#include <linux/uaccess.h>

#include "mn_bench.h"

/* An interval notifier from 0 of this length covers any process */
#define WHOLE_MM	(1ul << 47)

struct mn_bench {
	struct mutex lock;	/* protects the subscriptions */
	struct mmu_interval_notifier interval;
	bool has_interval;
	u64 calls;		/* of @interval, from one thread at a time */
	unsigned int count;
	/* For MN_BENCH_REGISTER, on both sides of the others */
	struct mmu_notifier lowest;
	struct mmu_notifier hlist[MN_BENCH_MAX];
	struct mmu_notifier highest;
};

static int mn_bench_start(struct mmu_notifier *subscription,
			  const struct mmu_notifier_range *range)
{
	return 0;
}

static int mn_bench_refuse(struct mmu_notifier *subscription,
			   const struct mmu_notifier_range *range)
{
	return mmu_notifier_range_blockable(range) ? 0 : -EAGAIN;
}

static void mn_bench_end(struct mmu_notifier *subscription,
			 const struct mmu_notifier_range *range)
{
}

static bool mn_bench_invalidate(struct mmu_interval_notifier *interval_sub,
				const struct mmu_notifier_range *range,
				unsigned long cur_seq)
{
	container_of(interval_sub, struct mn_bench, interval)->calls++;
	mmu_interval_set_seq(interval_sub, cur_seq);
	return true;
}

static const struct mmu_notifier_ops mn_bench_ops = {
	.invalidate_range_start = mn_bench_start,
	.invalidate_range_end = mn_bench_end,
};

/* No end: stock kernels warn of a refuser with an end */
static const struct mmu_notifier_ops mn_bench_refuser_ops = {
	.invalidate_range_start = mn_bench_refuse,
};

static const struct mmu_interval_notifier_ops mn_bench_interval_ops = {
	.invalidate = mn_bench_invalidate,
};

static int mn_bench_open(struct inode *inode, struct file *file)
{
	struct mn_bench *bench = kvzalloc(sizeof(*bench), GFP_KERNEL);

	if (!bench)
		return -ENOMEM;
	mutex_init(&bench->lock);
	file->private_data = bench;
	return 0;
}

static int mn_bench_release(struct inode *inode, struct file *file)
{
	struct mn_bench *bench = file->private_data;
	unsigned int i;

	if (bench->has_interval)
		mmu_interval_notifier_remove(&bench->interval);
	for (i = MN_BENCH_MAX - bench->count; i < MN_BENCH_MAX; i++)
		mmu_notifier_unregister(&bench->hlist[i], bench->hlist[i].mm);
	kvfree(bench);
	return 0;
}

/* On an error, earlier subscriptions stay until the file is closed. */
static int mn_bench_subscribe(struct mn_bench *bench,
			      const struct mn_bench_subscribe __user *arg)
{
	struct mn_bench_subscribe args;
	struct mmu_notifier *subscription;
	unsigned int place;
	int ret;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.hlist > MN_BENCH_MAX || args.interval > 1 || args.reserved ||
	    (args.refuser >= args.hlist && args.refuser != MN_BENCH_NOBODY))
		return -EINVAL;
	if (bench->count || bench->has_interval)
		return -EBUSY;

	place = args.hlist;
	while (place--) {
		subscription = &bench->hlist[MN_BENCH_MAX - bench->count - 1];
		subscription->ops = place == args.refuser ?
				    &mn_bench_refuser_ops : &mn_bench_ops;
		ret = mmu_notifier_register(subscription, current->mm);
		if (ret)
			return ret;
		bench->count++;
	}
	if (args.interval) {
		ret = mmu_interval_notifier_insert(&bench->interval, current->mm,
						   0, WHOLE_MM,
						   &mn_bench_interval_ops);
		if (ret)
			return ret;
		bench->has_interval = true;
	}
	return 0;
}

static int mn_bench_register(struct mn_bench *bench, u64 __user *arg)
{
	struct mmu_notifier *subscription;
	u64 highest, took;
	int ret;

	if (get_user(highest, arg))
		return -EFAULT;
	subscription = highest ? &bench->highest : &bench->lowest;
	subscription->ops = &mn_bench_ops;
	took = get_cycles();
	ret = mmu_notifier_register(subscription, current->mm);
	took = get_cycles() - took;
	if (ret)
		return ret;
	mmu_notifier_unregister(subscription, current->mm);
	return put_user(took, arg);
}

static long mn_bench_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mn_bench *bench = file->private_data;
	void __user *user = (void __user *)arg;
	int ret = -ENOTTY;

	if (cmd == MN_BENCH_CALLS)
		return put_user(bench->calls, (u64 __user *)user);
	mutex_lock(&bench->lock);
	if (cmd == MN_BENCH_SUBSCRIBE)
		ret = mn_bench_subscribe(bench, user);
	else if (cmd == MN_BENCH_REGISTER)
		ret = mn_bench_register(bench, user);
	mutex_unlock(&bench->lock);
	return ret;
}

static const struct file_operations mn_bench_fops = {
	.owner = THIS_MODULE,
	.open = mn_bench_open,
	.release = mn_bench_release,
	.unlocked_ioctl = mn_bench_ioctl,
};

static struct miscdevice mn_bench_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mn_bench",
	.fops = &mn_bench_fops,
	.mode = 0600,
};
module_misc_device(mn_bench_device);

MODULE_DESCRIPTION("mmu notifiers that cost nothing themselves");
MODULE_LICENSE("GPL");
