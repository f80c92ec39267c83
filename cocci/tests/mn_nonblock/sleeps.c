// SPDX-License-Identifier: GPL-2.0-only
/* Functions of the kernel that sleep, or that wait for the range itself. */

static void sleeping_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	readl_poll_timeout(driver->regs, value, value & 1, 10, 1000);
	readl_poll_timeout_atomic(driver->regs, value, value & 1, 10, 1000);
	folio_lock(driver->folio);
	ttm_bo_reserve(driver->bo, true, false, NULL);
	drm_modeset_lock_all(driver->drm);
	pm_runtime_get_sync(driver->dev);
	wait_var_event(&driver->count, !driver->count);
	swait_event_exclusive(driver->wq, !driver->count);
	io_schedule();
	drain_workqueue(driver->queue);
	kthread_flush_worker(driver->worker);
	synchronize_irq(driver->irq);
	rcu_barrier();
	pin_user_pages_fast(driver->address, 1, 0, &driver->page);
	pin_user_pages_fast_only(driver->address, 1, 0, &driver->page);
	copy_from_user(&driver->state, driver->user, 8);
	set_page_dirty_lock(driver->page);
	mmput(driver->mm);
	mmput_async(driver->mm);
}

static bool itself_invalidate(struct mmu_interval_notifier *mni,
			      const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	if (mmu_notifier_range_blockable(range))
		mmu_interval_notifier_remove(mni);
	return true;
}
