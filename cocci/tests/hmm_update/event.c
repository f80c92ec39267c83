// SPDX-License-Identifier: GPL-2.0-only
/* For hmm_update.cocci: the event. Its last two uses here are left to the reader. */

static int event_sync(struct hmm_mirror *mirror, const struct hmm_update *update)
{
	bool invalidate = update->event == HMM_UPDATE_INVALIDATE;
	int count = update->event == HMM_UPDATE_INVALIDATE ? 1 : 2;

	if (update->event == HMM_UPDATE_INVALIDATE && update->blockable)
		driver_wait(driver);
	if (driver->x && driver->y && update->event == HMM_UPDATE_INVALIDATE)
		driver_stop(driver);
	if (driver->x || update->event != HMM_UPDATE_INVALIDATE)
		driver_start(driver);
	switch (update->event) {
	case HMM_UPDATE_INVALIDATE:
		driver_unmap(driver, count, invalidate);
	}
	trace_update(update->event);
	return 0;
}
