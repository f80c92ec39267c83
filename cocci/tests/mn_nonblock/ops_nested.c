// SPDX-License-Identifier: GPL-2.0-only
/* The ops in another structure. */

static int member_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	mutex_lock(&lock);
	mutex_unlock(&lock);
	return 0;
}

static struct driver driver = {
	.name = "driver",
	.mn = { .ops = { .invalidate_range_start = member_start, }, },
};
