// SPDX-License-Identifier: GPL-2.0-only
/* Input for mn_nonblock.cocci; its output is in ../mn_nonblock.report. Not compiled. */

/* ---- fine: nothing of this is reported */

static int trylock_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (mmu_notifier_range_blockable(range))
		mutex_lock(&mirror->lock);
	else if (!mutex_trylock(&mirror->lock))
		return -EAGAIN;

	if (down_read_trylock(&mirror->sem))
		up_read(&mirror->sem);
	unmap(mirror, range->start, range->end);
	mutex_unlock(&mirror->lock);
	return 0;
}

static int refusing_start(struct mmu_notifier *mn, const struct mmu_notifier_range *update)
{
	if (!mmu_notifier_range_blockable(update))
		return -EAGAIN;

	down_write(&mirror->sem);
	sleeps_deep();
	up_write(&mirror->sem);
	return 0;
}

static int variable_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	bool may_block = mmu_notifier_range_blockable(range);
	int ret = -EAGAIN;

	if (mirror->busy && !may_block)
		return -EAGAIN;
	if (may_block) {
		buffer = kmalloc(size, GFP_KERNEL);
		ret = 0;
	}
	return ret;
}

static int lock_for(struct mirror *mirror, bool blockable)
{
	if (blockable)
		mutex_lock(&mirror->lock);
	else if (!mutex_trylock(&mirror->lock))
		return -EAGAIN;
	return 0;
}

static int told_helper_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	bool blockable = mmu_notifier_range_blockable(range);

	if (lock_for(mirror, blockable))
		return -EAGAIN;
	entry = kmalloc(size, GFP_NOWAIT);
	mutex_unlock(&mirror->lock);
	return 0;
}

static int sanitizing_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	int ret;

	ret = unmap(mirror, range->start, range->end);
	if (ret)
		ret = 0;
	return ret;
}

static bool trylock_invalidate(struct mmu_interval_notifier *mni,
			       const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	if (mmu_notifier_range_blockable(range))
		mutex_lock(&mirror->lock);
	else if (!mutex_trylock(&mirror->lock))
		return false;
	mmu_interval_set_seq(mni, cur_seq);
	mutex_unlock(&mirror->lock);
	return true;
}

static int mirror_sync(struct hmm_mirror *mirror, const struct hmm_update *update)
{
	if (!update->blockable)
		return -EAGAIN;
	mutex_lock(&lock);
	mutex_unlock(&lock);
	return 0;
}

static void no_callback(struct mirror *mirror)
{
	mutex_lock(&mirror->lock);
	mutex_unlock(&mirror->lock);
}

/* ---- mistakes */

static void takes_the_lock(struct mirror *mirror)
{
	mutex_lock(&mirror->lock);
}

static void sleeps_deep(void)
{
	takes_the_lock(mirror);
}

static int sleeping_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	mutex_lock(&mirror->lock);
	buffer = kzalloc(size, GFP_KERNEL | __GFP_NOWARN);
	mutex_unlock(&mirror->lock);
	return 0;
}

static void sleeping_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	wait_event(mirror->wq, !mirror->busy);
}

static int late_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	down_read(&mirror->sem);
	if (!mmu_notifier_range_blockable(range)) {
		up_read(&mirror->sem);
		return -EAGAIN;
	}
	up_read(&mirror->sem);
	return 0;
}

static int helped_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	sleeps_deep();
	for_each_entry(mirror, takes_the_lock);
	return 0;
}

static int wrong_code_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	int ret = unmap(mirror, range->start, range->end);

	if (!mmu_notifier_range_blockable(range))
		return -EBUSY;
	return ret;
}

static int refusing_all_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (mirror->busy)
		return -EAGAIN;
	return 0;
}

static bool wrong_invalidate(struct mmu_interval_notifier *mni,
			     const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	if (unmap(mirror, range->start, range->end))
		return false;
	return true;
}

static bool sleeping_invalidate(struct mmu_interval_notifier *mni,
				const struct mmu_notifier_range *range, unsigned long cur_seq,
				struct mmu_interval_notifier_finish **finish)
{
	dma_fence_wait(fence, false);
	return true;
}

static int sleeping_sync(struct hmm_mirror *mirror, const struct hmm_update *update)
{
	mutex_lock(&lock);
	mutex_unlock(&lock);
	return 0;
}

static const struct mmu_notifier_ops trylock_ops = { .invalidate_range_start = trylock_start };
static const struct mmu_notifier_ops refusing_ops = { .invalidate_range_start = refusing_start };
static const struct mmu_notifier_ops variable_ops = { .invalidate_range_start = variable_start };
static const struct mmu_notifier_ops told_helper_ops = { .invalidate_range_start = told_helper_start };
static const struct mmu_notifier_ops sanitizing_ops = { .invalidate_range_start = sanitizing_start };
static const struct mmu_interval_notifier_ops trylock_mni_ops = { .invalidate = trylock_invalidate };
static const struct hmm_mirror_ops mirror_ops = { .sync_cpu_device_pagetables = mirror_sync };

struct mmu_notifier_ops sleeping_ops = {
	.invalidate_range_start = sleeping_start,
	.invalidate_range_end = sleeping_end,
};
static const struct mmu_notifier_ops late_ops = { .invalidate_range_start = late_start };
static const struct mmu_notifier_ops helped_ops = { .invalidate_range_start = helped_start };
static const struct mmu_notifier_ops wrong_code_ops = { .invalidate_range_start = wrong_code_start };
static const struct mmu_notifier_ops refusing_all_ops = { .invalidate_range_start = refusing_all_start };
static const struct mmu_interval_notifier_ops wrong_mni_ops = { .invalidate = wrong_invalidate };
static const struct mmu_interval_notifier_ops sleeping_mni_ops = { .invalidate_start = sleeping_invalidate };
static struct driver driver = { .mirror = { .sync_cpu_device_pagetables = sleeping_sync } };
