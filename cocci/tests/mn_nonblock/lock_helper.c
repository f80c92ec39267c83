/* A helper that the callback calls takes the lock. */
static void take(struct driver *driver)
{
	mutex_lock(&driver->lock);
	mutex_unlock(&driver->lock);
}

static int helper_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (mmu_notifier_range_blockable(range))
		take(driver);
	take(driver);
	return 0;
}
