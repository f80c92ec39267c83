// SPDX-License-Identifier: GPL-2.0-only
/* The address of the callback. Another one is in a file that spatch does not get. */

static int member_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	mutex_lock(&lock);
	mutex_unlock(&lock);
	return 0;
}

static const struct mmu_notifier_ops driver_ops = {
	.invalidate_range_start = &member_start,
	.invalidate_range_end = &elsewhere_end,
};
