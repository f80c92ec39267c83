// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver with an HMM mirror, as for v5.3. Its device maps one window of a
 * process. An array stands for the page table of the device.
 *
 * The #else branches are for 6.1 with series/6.1/mirror.
 */
#include <linux/fs.h>
#include <linux/hmm.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/version.h>

#define MY_PAGES	16
#define MY_SIZE		(MY_PAGES * PAGE_SIZE)
#define MY_MAP		_IO('m', 1)	/* the argument is the address */

struct my_mirror {
	struct hmm_mirror	mirror;
	struct mm_struct	*mm;
	struct mutex		lock;	/* protects what is below */
	unsigned long		seq;	/* number of invalidations */
	unsigned long		start;
	struct page		*pages[MY_PAGES];
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

static int my_sync(struct hmm_mirror *mirror,
		   const struct mmu_notifier_range *range)
{
	struct my_mirror *my = container_of(mirror, struct my_mirror, mirror);

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&my->lock);
	else if (!mutex_trylock(&my->lock))
		return -EAGAIN;
	my->seq++;
	my_unmap(my, range->start, range->end);
	mutex_unlock(&my->lock);
	return 0;
}

/* The process exits. */
static void my_mm_gone(struct hmm_mirror *mirror)
{
	struct my_mirror *my = container_of(mirror, struct my_mirror, mirror);

	mutex_lock(&my->lock);
	my->seq++;
	my_unmap(my, 0, ULONG_MAX);
	mutex_unlock(&my->lock);
}

static const struct hmm_mirror_ops my_mirror_ops = {
	.sync_cpu_device_pagetables = my_sync,
	.release = my_mm_gone,
};

#if KERNEL_VERSION(5, 6, 0) > LINUX_VERSION_CODE
#define mmap_read_lock(mm)	down_read(&(mm)->mmap_sem)
#define mmap_read_unlock(mm)	up_read(&(mm)->mmap_sem)
#define mmap_write_lock(mm)	down_write(&(mm)->mmap_sem)
#define mmap_write_unlock(mm)	up_write(&(mm)->mmap_sem)

static const u64 my_flags[HMM_PFN_FLAG_MAX] = {
	[HMM_PFN_VALID] = BIT(0),
	[HMM_PFN_WRITE] = BIT(1),
	[HMM_PFN_DEVICE_PRIVATE] = BIT(2),
};

static const u64 my_values[HMM_PFN_VALUE_MAX] = {
	[HMM_PFN_ERROR] = BIT(3),
	[HMM_PFN_SPECIAL] = BIT(4),
};

struct my_range {
	struct hmm_range	range;
	u64			pfns[MY_PAGES];
};

static void my_range_init(struct my_range *r)
{
	memset(r, 0, sizeof(*r));
	r->range.pfns = r->pfns;
	r->range.flags = my_flags;
	r->range.values = my_values;
	r->range.pfn_shift = 8;
	r->range.default_flags = my_flags[HMM_PFN_VALID] | my_flags[HMM_PFN_WRITE];
}

static long my_range_fault(struct my_range *r)
{
	return hmm_range_fault(&r->range, true);
}

static struct page *my_range_page(struct my_range *r, unsigned int i)
{
	return hmm_device_entry_to_page(&r->range, r->pfns[i]);
}
#else
struct my_range {
	struct hmm_range	range;
	unsigned long		pfns[MY_PAGES];
};

static void my_range_init(struct my_range *r)
{
	memset(r, 0, sizeof(*r));
	r->range.hmm_pfns = r->pfns;
	r->range.default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
}

static long my_range_fault(struct my_range *r)
{
	return hmm_range_fault(&r->range);
}

static struct page *my_range_page(struct my_range *r, unsigned int i)
{
	return hmm_pfn_to_page(r->pfns[i]);
}
#endif

/* Fault the window in once; -EBUSY if an invalidation came in between. */
static long my_map_once(struct my_mirror *my, struct my_range *r, unsigned long start)
{
	unsigned long seq;
	unsigned int i;
	long ret;

	my_range_init(r);
	mutex_lock(&my->lock);
	seq = my->seq;
	mutex_unlock(&my->lock);

	ret = hmm_range_register(&r->range, &my->mirror, start, start + MY_SIZE, PAGE_SHIFT);
	if (ret)
		return ret;
	ret = -EBUSY;
	if (!hmm_range_wait_until_valid(&r->range, HMM_RANGE_DEFAULT_TIMEOUT))
		goto unregister;
	mmap_read_lock(my->mm);
	ret = my_range_fault(r);
	mmap_read_unlock(my->mm);
	if (ret < 0)
		goto unregister;

	/* hmm_range_valid() cannot detect an invalidation that has ended. */
	mutex_lock(&my->lock);
	ret = -EBUSY;
	if (hmm_range_valid(&r->range) && my->seq == seq) {
		my->start = start;
		for (i = 0; i < MY_PAGES; i++)
			my->pages[i] = my_range_page(r, i);
		ret = 0;
	}
	mutex_unlock(&my->lock);
unregister:
	hmm_range_unregister(&r->range);
	return ret;
}

static long my_ioctl(struct file *file, unsigned int cmd, unsigned long start)
{
	struct my_mirror *my = file->private_data;
	struct my_range *r;
	long ret;

	if (cmd != MY_MAP)
		return -ENOTTY;
	if (start & ~PAGE_MASK || start > TASK_SIZE - MY_SIZE)
		return -EINVAL;
	r = kmalloc(sizeof(*r), GFP_KERNEL);
	if (!r)
		return -ENOMEM;
	do {
		ret = my_map_once(my, r, start);
	} while (ret == -EBUSY && !signal_pending(current));
	kfree(r);
	return ret;
}

static int my_open(struct inode *inode, struct file *file)
{
	struct my_mirror *my = kzalloc(sizeof(*my), GFP_KERNEL);
	int ret;

	if (!my)
		return -ENOMEM;
	mutex_init(&my->lock);
	my->mm = current->mm;
	my->mirror.ops = &my_mirror_ops;

	mmap_write_lock(my->mm);
	ret = hmm_mirror_register(&my->mirror, my->mm);
	mmap_write_unlock(my->mm);
	if (ret) {
		kfree(my);
		return ret;
	}
	mmgrab(my->mm);
	file->private_data = my;
	return 0;
}

static int my_release(struct inode *inode, struct file *file)
{
	struct my_mirror *my = file->private_data;

	hmm_mirror_unregister(&my->mirror);
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

MODULE_DESCRIPTION("Example of a driver with an HMM mirror");
MODULE_LICENSE("GPL");
