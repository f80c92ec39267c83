// SPDX-License-Identifier: GPL-2.0-only
/* A helper returns -EAGAIN, and the hlist notifier's callback returns 0 all the same. */

static int helper(struct driver *driver, const struct mmu_notifier_range *range)
{
	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	mutex_lock(&driver->lock);
	mutex_unlock(&driver->lock);
	return 0;
}

static int statement_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	helper(driver, range);
	return 0;
}

static int tested_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (helper(driver, range) < 0)
		return 0;
	return flush(driver) ? -EAGAIN : 0;
}

static int kept_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	int ret;

	ret = helper(driver, range);
	if (ret)
		pr_debug("busy\n");
	return 0;
}

static int variable_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	int ret = 0;

	if (helper(driver, range))
		goto out;
	flush(driver);
out:
	return ret;
}

static int fine_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	int ret = helper(driver, range);

	if (ret)
		return ret;
	flush(driver);
	return 0;
}

static int passing_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	return helper(driver, range);
}
