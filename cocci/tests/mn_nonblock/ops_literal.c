// SPDX-License-Identifier: GPL-2.0-only
/* The ops in a compound literal. */

static int member_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	mutex_lock(&lock);
	mutex_unlock(&lock);
	return 0;
}

static void driver_init(struct driver *driver)
{
	driver->mn.ops = &(const struct mmu_notifier_ops) { .invalidate_range_start = member_start };
}
