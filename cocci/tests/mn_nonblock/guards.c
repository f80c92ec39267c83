// SPDX-License-Identifier: GPL-2.0-only
/* Locks that a scope holds. spatch 1.1.1 cannot parse a statement as an argument. */

static void guard_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	guard(mutex)(&driver->lock);
	driver->count--;
}

static bool scoped_invalidate(struct mmu_interval_notifier *mni,
			      const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	guard(spinlock)(&driver->spin);
	if (mmu_notifier_range_blockable(range))
		guard(mutex)(&driver->lock);
	scoped_guard(rwsem_read, &driver->sem) {
		mmu_interval_set_seq(mni, cur_seq);
	}
	return true;
}

static bool unparsed_invalidate(struct mmu_interval_notifier *mni,
				const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	scoped_cond_guard(mutex_try, return false, &driver->lock) {
		mmu_interval_set_seq(mni, cur_seq);
	}
	return true;
}
