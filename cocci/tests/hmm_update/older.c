// SPDX-License-Identifier: GPL-2.0-only
/* For hmm_update.cocci: the parameters before struct hmm_update. Nothing is converted. */

static void older_sync(struct hmm_mirror *mirror, enum hmm_update_type update_type,
		       unsigned long start, unsigned long end)
{
	driver_unmap(driver, start, end);
}
