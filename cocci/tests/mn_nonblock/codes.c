// SPDX-License-Identifier: GPL-2.0-only
/* What a callback returns. */

static int busy(struct driver *driver)
{
	return driver->busy ? -EBUSY : 0;
}

static int again(struct driver *driver)
{
	return busy(driver) ? -EAGAIN : 0;
}

static int wrong_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (!mmu_notifier_range_blockable(range))
		return -EBUSY;
	return 0;
}

static int helper_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	int ret = 0;

	if (!mmu_notifier_range_blockable(range))
		ret = busy(driver);
	return ret;
}

static int unknown_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	return elsewhere(driver);
}

static int reduced_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (!mmu_notifier_range_blockable(range))
		return again(driver);
	return 0;
}

static bool code_invalidate(struct mmu_interval_notifier *mni,
			    const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	return mmu_notifier_range_blockable(range) ? true : -EAGAIN;
}
