// SPDX-License-Identifier: GPL-2.0-only
/* Conditions that do not imply a blockable range. */

static int or_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (driver->x || mmu_notifier_range_blockable(range))
		mutex_lock(&driver->lock);
	return 0;
}

static int and_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (driver->x && !mmu_notifier_range_blockable(range))
		return -EAGAIN;
	mutex_lock(&driver->lock);
	return 0;
}

static int inverted_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (mmu_notifier_range_blockable(range))
		return -EAGAIN;
	mutex_lock(&driver->lock);
	return 0;
}

static void named_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (driver->nonblock)
		mutex_lock(&driver->lock);
	if (driver->blocks)
		mutex_lock(&driver->sem);
}

static void circle_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	bool first = driver->x, second = first;

	first = second;
	second = first;
	if (first)
		mutex_lock(&driver->lock);
}

/* Another structure's member of a callback's name. */
static void other_invalidate(struct driver *driver)
{
	mutex_lock(&driver->lock);
}

static void other_init(struct driver *driver)
{
	driver->invalidate = other_invalidate;
}
