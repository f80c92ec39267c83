// SPDX-License-Identifier: GPL-2.0-only
/* The ops in an array, as in amdgpu_mn.c of v5.3. */

static int member_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	mutex_lock(&lock);
	mutex_unlock(&lock);
	return 0;
}

static const struct mmu_notifier_ops driver_ops[] = {
	[FIRST] = { .invalidate_range_start = member_start, .invalidate_range_end = elsewhere_end },
};
