// SPDX-License-Identifier: GPL-2.0-only
/* Locks of the driver's own making, in a file that spatch does not get. */

static int named_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (my_mutex_trylock(driver))
		my_mutex_unlock(driver);
	my_mutex_lock(driver);
	my_mutex_unlock(driver);
	my_down_read(driver);
	my_up_read(driver);
	return 0;
}

static void named_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	my_down_write(driver);
	my_up_write(driver);
}
