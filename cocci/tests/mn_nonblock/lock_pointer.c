// SPDX-License-Identifier: GPL-2.0-only
/* Function pointers: what a member may point at is followed. */

static void chip_stop(struct driver *driver)
{
	mutex_lock(&driver->lock);
	mutex_unlock(&driver->lock);
}

static void chip_flush(struct driver *driver)
{
	msleep(10);
}

static void chip_kick(struct driver *driver)
{
	writel(1, driver->regs);
}

static const struct chip_ops chip_ops = { .stop = chip_stop, .kick = &chip_kick };

static void chip_init(struct driver *driver)
{
	driver->flush = chip_flush;
}

static int pointer_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	driver->ops->kick(driver);
	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	driver->ops->stop(driver);
	return 0;
}

static void pointer_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	driver->ops->kick(driver);
	driver->ops->stop(driver);
	driver->flush(driver);
}
