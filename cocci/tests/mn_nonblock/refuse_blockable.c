// SPDX-License-Identifier: GPL-2.0-only
/* A refusal that can leave by a path that a blockable range takes. */

static bool variable_invalidate(struct mmu_interval_notifier *mni,
				const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	bool ok = false;

	if (spin_trylock(&driver->lock)) {
		ok = true;
		spin_unlock(&driver->lock);
	}
	return ok;
}

static int goto_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	int ret = -EAGAIN;

	if (driver->busy)
		goto out;
	unmap(driver, range->start, range->end);
	ret = 0;
out:
	return ret;
}

static int helper(struct driver *driver, const struct mmu_notifier_range *range)
{
	if (driver->busy)
		return -EAGAIN;
	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	return 0;
}

static int passed(struct driver *driver, const struct mmu_notifier_range *range)
{
	return driver->busy ? -EAGAIN : 0;
}

static int passing_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	return passed(driver, range);
}

static int testing_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	int ret = helper(driver, range);

	if (ret)
		return -EAGAIN;
	return 0;
}

static int chosen_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	return mmu_notifier_range_blockable(range) ? -EAGAIN : 0;
}
