// SPDX-License-Identifier: GPL-2.0-only
/* No callback: the ops have only a release(). */

static void driver_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	mutex_lock(&lock);
	mutex_unlock(&lock);
}

static const struct mmu_notifier_ops driver_ops = { .release = driver_release };
