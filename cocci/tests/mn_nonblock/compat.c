// SPDX-License-Identifier: GPL-2.0-only
/* Of the branches of a compat #ifdef, spatch can leave some out. */

#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 0, 0)
static int compat_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
#else
static int compat_start(struct mmu_notifier *mn, struct mm_struct *mm,
			unsigned long start, unsigned long end, bool blockable)
{
	mutex_lock(&driver->lock);
	mutex_unlock(&driver->lock);
#endif
	return 0;
}

static void body_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
#ifdef HAVE_SPINLOCK
	spin_lock(&driver->lock);
#else
	mutex_lock(&driver->mutex);
#endif
}

#ifdef CONFIG_DRIVER
static void inside_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
}
#endif
