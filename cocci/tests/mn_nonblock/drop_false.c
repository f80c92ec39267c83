// SPDX-License-Identifier: GPL-2.0-only
/* A helper refuses, and the interval notifier's callback returns true all the same. */

static bool helper(struct driver *driver, const struct mmu_notifier_range *range)
{
	if (mmu_notifier_range_blockable(range))
		mutex_lock(&driver->lock);
	else if (!mutex_trylock(&driver->lock))
		return false;
	unmap(driver, range->start, range->end);
	mutex_unlock(&driver->lock);
	return true;
}

static bool statement_invalidate(struct mmu_interval_notifier *mni,
				 const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	helper(driver, range);
	return true;
}

static bool tested_invalidate(struct mmu_interval_notifier *mni,
			      const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	if (!helper(driver, range))
		goto out;
	flush(driver);
out:
	return true;
}

static bool kept_invalidate(struct mmu_interval_notifier *mni,
			    const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	bool done = helper(driver, range);

	if (done)
		flush(driver);
	return true;
}

static bool variable_invalidate(struct mmu_interval_notifier *mni,
				const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	bool ok = true;

	if (helper(driver, range))
		flush(driver);
	return ok;
}

static bool fine_invalidate(struct mmu_interval_notifier *mni,
			    const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	bool done = helper(driver, range);

	if (!done)
		return false;
	flush(driver);
	return true;
}

static bool passing_invalidate(struct mmu_interval_notifier *mni,
			       const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	return helper(driver, range);
}

static bool retry_invalidate(struct mmu_interval_notifier *mni,
			     const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	if (!helper(driver)) {
		if (!mmu_notifier_range_blockable(range))
			return false;
		mutex_lock(&driver->lock);
	}
	return true;
}
