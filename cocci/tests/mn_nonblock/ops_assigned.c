// SPDX-License-Identifier: GPL-2.0-only
/* The ops filled in by assignment. */

static int member_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	mutex_lock(&lock);
	mutex_unlock(&lock);
	return 0;
}

static struct mmu_notifier_ops driver_ops;

static void driver_init(void)
{
	driver_ops.invalidate_range_start = member_start;
	driver_ops.invalidate_range_end = elsewhere_end;
}
