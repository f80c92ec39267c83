// SPDX-License-Identifier: GPL-2.0-only
/* Locks of the driver's own making, two calls deep, and in macros. */

#define TAKE(driver) mutex_lock(&(driver)->lock)
#define TAKE_DEEP(driver) do { take_deep(driver); (driver)->count++; } while (0)

static inline void take(struct driver *driver)
{
	down_write(&driver->sem);
}

static inline void take_deep(struct driver *driver)
{
	take(driver);
}

static int deep_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	take_deep(driver);
	return 0;
}

static bool macro_invalidate(struct mmu_interval_notifier *mni,
			     const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	TAKE(driver);
	return true;
}

static void macro_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	TAKE_DEEP(driver);
}
