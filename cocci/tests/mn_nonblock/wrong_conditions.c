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
