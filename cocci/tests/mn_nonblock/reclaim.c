// SPDX-License-Identifier: GPL-2.0-only
/* Allocations that may enter direct reclaim: no callback may, also in a blockable range. */

static void *allocate(struct driver *driver)
{
	return kmalloc_obj(*driver);
}

static int blockable_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	driver->first = kmalloc(8, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	driver->second = allocate(driver);
	driver->third = vmalloc(8);
	return 0;
}

static void masks_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	bool blockable = mmu_notifier_range_blockable(range);

	driver->first = alloc_page(GFP_NOIO);
	driver->second = kzalloc(8, blockable ? GFP_KERNEL : GFP_NOWAIT);
	driver->third = kvzalloc_objs(struct driver, 8, GFP_NOFS);
}

static void forgetful(struct driver *driver, const struct mmu_notifier_range *range)
{
	bool can_sleep = mmu_notifier_range_blockable(range);

	if (can_sleep)
		driver->first = kmalloc(8, GFP_USER);
}

static const struct resize_ops resize_ops = { .resize = allocate };

static void pointer_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	driver->ops->resize(driver);
}

static void named_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	forgetful(driver, range);
}

/* ---- fine */

static void grow(struct driver *driver, bool may_wait)
{
	if (may_wait)
		driver->first = kmalloc(8, GFP_KERNEL);
}

static void take(struct driver *driver)
{
	driver->flags = memalloc_noreclaim_save();
}

static void late(struct work_struct *work)
{
	allocate(driver);
	mutex_lock(&driver->lock);
}

static void fine_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	driver->first = kmalloc(8, GFP_NOWAIT | __GFP_ZERO);
	driver->second = kzalloc_obj(*driver, GFP_ATOMIC);
	__xa_cmpxchg(&driver->array, range->start, driver, NULL, GFP_KERNEL);
	INIT_WORK(&driver->work, late);
	grow(driver, false);
	take(driver);
	allocate(driver);
}
