// SPDX-License-Identifier: GPL-2.0-only
/* For hmm_update.cocci: struct hmm_update as a variable, a member, in sizeof() and in a cast. */

struct hmm_update;

struct driver {
	struct hmm_update last;
	int (*forward)(struct driver *driver, const struct hmm_update *update);
};

static int forms_sync(struct hmm_mirror *mirror, const struct hmm_update *update)
{
	struct hmm_update copy = *update;
	struct hmm_update mine = { .start = 0, .end = 1, .blockable = true };
	struct hmm_update *new;

	mine.blockable = copy.blockable;
	mine.event = HMM_UPDATE_INVALIDATE;
	new = kmalloc(sizeof(struct hmm_update), GFP_NOWAIT);
	return driver_do((struct hmm_update *)new, &mine);
}
