// SPDX-License-Identifier: GPL-2.0-only
/* For hmm_update.cocci: the usual callback; its output is in general.converted. Not compiled. */

static int forward(struct driver *driver, const struct hmm_update *update);

/* What it prints is left to the reader. */
static void trace(const struct hmm_update *update)
{
	pr_debug("%d\n", update->event);
}

/* The usual callback; its interval tree is inclusive. */
static int driver_sync(struct hmm_mirror *mirror, const struct hmm_update *update)
{
	struct driver *driver = container_of(mirror, struct driver, mirror);
	unsigned long start = update->start;
	unsigned long end = update->end;
	bool blockable = update->blockable;

	end -= 1;

	if (update->event != HMM_UPDATE_INVALIDATE)
		return -EINVAL;
	if (!blockable)
		return -EAGAIN;
	if (update->event == HMM_UPDATE_INVALIDATE)
		driver_unmap(driver, start, end);
	return forward(driver, update);
}

/* Not a callback, but it is passed on. The name range is taken. */
static int forward(struct driver *driver, const struct hmm_update *update)
{
	const struct hmm_update *alias = update;
	struct hmm_range *range = &driver->range;

	if (update->event == HMM_UPDATE_INVALIDATE) {
		driver_touch(driver, alias->start, range->end);
		if (alias->blockable)
			driver_wait(driver);
	}
	return 0;
}

/* Converted already, and one that has another struct with a blockable. */
static int converted_sync(struct hmm_mirror *mirror, const struct mmu_notifier_range *update)
{
	if (!mmu_notifier_range_blockable(update))
		return -EAGAIN;
	return update->event == MMU_NOTIFY_UNMAP;
}

static bool other(const struct other_update *update)
{
	return update->blockable;
}

static const struct hmm_mirror_ops driver_ops = {
	.sync_cpu_device_pagetables = driver_sync,
};
