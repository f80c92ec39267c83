// SPDX-License-Identifier: GPL-2.0-only
/* For hmm_update.cocci: copies that are used after the callback, and structures it cannot see. */

#define MAY_WAIT(update) ((update)->blockable && driver_idle())

static int kept_sync(struct hmm_mirror *mirror, const struct hmm_update *update)
{
	driver->update = update;
	driver->copy = *update;
	driver->work.copy = *update;
	memcpy(&driver->other, update, sizeof(*update));
	driver->third = kmemdup(update, sizeof(*update), GFP_NOWAIT);
	queue_work(driver->wq, &driver->work);
	trace_event(driver->copy.event);
	if (MAY_WAIT(update) || driver->copy.blockable)
		driver_wait(driver);
	return 0;
}
