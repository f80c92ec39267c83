// SPDX-License-Identifier: GPL-2.0-only
/* Input for mn_nonblock.cocci: alone nothing is seen, together with far_helper.c far_remap() sleeps. */

static int remap_chunk(struct mirror *mirror, unsigned long start)
{
	return far_remap(mirror, start);
}

static bool far_invalidate(struct mmu_interval_notifier *mni,
			   const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	if (mmu_notifier_range_blockable(range))
		mutex_lock(&mirror->lock);
	else if (!mutex_trylock(&mirror->lock))
		return false;
	mmu_interval_set_seq(mni, cur_seq);
	for_each_chunk(mirror, range->start, range->end, remap_chunk);
	mutex_unlock(&mirror->lock);
	return true;
}

static const struct mmu_interval_notifier_ops far_ops = { .invalidate = far_invalidate };
