// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of my_range.c with an interval notifier, for 7.3. Its device maps
 * one window of a process. An array stands for the page table of the device.
 */
#include <linux/fs.h>
#include <linux/hmm.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#define MY_PAGES	16
#define MY_SIZE		(MY_PAGES * PAGE_SIZE)
#define MY_MAP		_IO('m', 1)	/* the argument is the address */

struct my_mirror {
	struct mmu_interval_notifier	notifier;
	struct mm_struct		*mm;
	struct mutex			window;	/* protects inserted; no callback takes it */
	bool				inserted;
	struct mutex			lock;	/* protects what is below */
	bool				gone;	/* munmap() of a part of the window */
	unsigned long			start;
	struct page			*pages[MY_PAGES];
	unsigned long			pfns[MY_PAGES];	/* protected by window */
};

static void my_unmap(struct my_mirror *my, unsigned long start, unsigned long end)
{
	unsigned int i;

	for (i = 0; i < MY_PAGES; i++) {
		unsigned long address = my->start + i * PAGE_SIZE;

		if (address >= start && address < end)
			my->pages[i] = NULL;
	}
}

/* Also called when the process exits, with MMU_NOTIFY_RELEASE. */
static bool my_invalidate(struct mmu_interval_notifier *mni,
			  const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	struct my_mirror *my = container_of(mni, struct my_mirror, notifier);

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&my->lock);
	else if (!mutex_trylock(&my->lock))
		return false;
	mmu_interval_set_seq(mni, cur_seq);
	my_unmap(my, range->start, range->end);
	if (range->event == MMU_NOTIFY_UNMAP)
		my->gone = true;
	mutex_unlock(&my->lock);
	return true;
}

static const struct mmu_interval_notifier_ops my_ops = {
	.invalidate = my_invalidate,
};

/* Waits for callbacks, so the caller must not hold my->lock. */
static void my_remove(struct my_mirror *my)
{
	if (my->inserted)
		mmu_interval_notifier_remove(&my->notifier);
	my->inserted = false;
	memset(my->pages, 0, sizeof(my->pages));
}

/* Watch another window. A notifier stays after munmap(), so replace it then, too. */
static int my_watch(struct my_mirror *my, unsigned long start)
{
	bool gone;
	int ret;

	mutex_lock(&my->lock);
	gone = my->gone;
	mutex_unlock(&my->lock);
	if (my->inserted && my->start == start && !gone)
		return 0;

	my_remove(my);
	my->start = start;
	my->gone = false;
	/* As with a mirror. mmu_interval_notifier_insert() would take the lock itself. */
	mmap_write_lock(my->mm);
	ret = mmu_interval_notifier_insert_locked(&my->notifier, my->mm, start, MY_SIZE, &my_ops);
	mmap_write_unlock(my->mm);
	my->inserted = !ret;
	return ret;
}

static int my_map(struct my_mirror *my, unsigned long start)
{
	struct hmm_range range = {
		.notifier = &my->notifier,
		.start = start,
		.end = start + MY_SIZE,
		.hmm_pfns = my->pfns,
		.default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE,
	};
	unsigned int i;
	int ret;

	ret = my_watch(my, start);
	if (ret)
		return ret;
again:
	/* Calls mmu_interval_read_begin(), and takes the mmap_lock. */
	ret = hmm_range_fault_unlocked_timeout(&range,
					       msecs_to_jiffies(HMM_RANGE_DEFAULT_TIMEOUT));
	if (ret)
		return ret;

	mutex_lock(&my->lock);
	if (mmu_interval_read_retry(&my->notifier, range.notifier_seq)) {
		mutex_unlock(&my->lock);
		if (signal_pending(current))
			return -EINTR;
		goto again;
	}
	for (i = 0; i < MY_PAGES; i++)
		my->pages[i] = hmm_pfn_to_page(my->pfns[i]);
	mutex_unlock(&my->lock);
	return 0;
}

static long my_ioctl(struct file *file, unsigned int cmd, unsigned long start)
{
	struct my_mirror *my = file->private_data;
	int ret;

	if (cmd != MY_MAP)
		return -ENOTTY;
	if (start & ~PAGE_MASK || start > TASK_SIZE - MY_SIZE)
		return -EINVAL;
	/* hmm_range_register() held mm_users. */
	if (!mmget_not_zero(my->mm))
		return -EFAULT;
	mutex_lock(&my->window);
	ret = my_map(my, start);
	mutex_unlock(&my->window);
	mmput(my->mm);
	return ret;
}

static int my_open(struct inode *inode, struct file *file)
{
	struct my_mirror *my = kzalloc_obj(*my);

	if (!my)
		return -ENOMEM;
	mutex_init(&my->window);
	mutex_init(&my->lock);
	my->mm = current->mm;
	mmgrab(my->mm);
	file->private_data = my;
	return 0;
}

static int my_release(struct inode *inode, struct file *file)
{
	struct my_mirror *my = file->private_data;

	my_remove(my);
	mmdrop(my->mm);
	kfree(my);
	return 0;
}

static const struct file_operations my_fops = {
	.owner = THIS_MODULE,
	.open = my_open,
	.release = my_release,
	.unlocked_ioctl = my_ioctl,
};

static struct miscdevice my_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "my_mirror",
	.fops = &my_fops,
};
module_misc_device(my_device);

MODULE_DESCRIPTION("Example of a driver with an interval notifier");
MODULE_LICENSE("GPL");
