// SPDX-License-Identifier: GPL-2.0-only
/* Nothing of this is a mistake. */

static int and_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	bool locked = false;

	if (mmu_notifier_range_blockable(range) && driver->x) {
		mutex_lock(&driver->lock);
		locked = true;
	}
	if (driver->x && driver->y && mmu_notifier_range_blockable(range))
		msleep(1);
	if (locked)
		mutex_unlock(&driver->lock);
	return 0;
}

static int or_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (driver->x || !mmu_notifier_range_blockable(range))
		return 0;
	mutex_lock(&driver->lock);
	mutex_unlock(&driver->lock);
	return 0;
}

static int unlikely_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (unlikely(!mmu_notifier_range_blockable(range)))
		return -EAGAIN;
	mutex_lock(&driver->lock);
	mutex_unlock(&driver->lock);
	return 0;
}

static int compared_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (mmu_notifier_range_blockable(range) == false)
		return -EAGAIN;
	mutex_lock(&driver->lock);
	mutex_unlock(&driver->lock);
	return 0;
}

static int flags_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	bool nowait = !(range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE);

	if (nowait)
		return -EAGAIN;
	mutex_lock(&driver->lock);
	mutex_unlock(&driver->lock);
	return 0;
}

static int chosen_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	bool locked = mmu_notifier_range_blockable(range) ?
		(mutex_lock(&driver->lock), true) : mutex_trylock(&driver->lock);

	if (!locked)
		return mmu_notifier_range_blockable(range) ? 0 : -EAGAIN;
	mutex_unlock(&driver->lock);
	return 0;
}

static bool helper_invalidate(struct mmu_interval_notifier *mni,
			      const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	bool taken;

	if (!elsewhere_trylock(driver, mmu_notifier_range_blockable(range)))
		return false;
	taken = elsewhere_trylock(driver, mmu_notifier_range_blockable(range));
	if (!taken)
		return false;
	return true;
}

static bool release_invalidate(struct mmu_interval_notifier *mni,
			       const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	if (range->event == MMU_NOTIFY_RELEASE) {
		mutex_lock(&driver->lock);
		mutex_unlock(&driver->lock);
	}
	return true;
}

static void sleeping_helper(struct driver *driver)
{
	mutex_lock(&driver->lock);
	mutex_unlock(&driver->lock);
}

static int calling_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (mmu_notifier_range_blockable(range))
		sleeping_helper(driver);
	return 0;
}

static int either_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (driver->idle || mmu_notifier_range_blockable(range))
		return 0;
	return -EAGAIN;
}
