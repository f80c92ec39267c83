/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels the kit builds against, 6.1 to 7.3, and what
 * it has to know beyond the exported interface.
 */
#ifndef MN_KIT_COMPAT_H
#define MN_KIT_COMPAT_H

#include <linux/mmu_notifier.h>
#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/version.h>

/* The Makefile reads this line, and says it in better words */
#define MN_KIT_OLDEST	KERNEL_VERSION(6, 1, 0)
#if LINUX_VERSION_CODE < MN_KIT_OLDEST
#error "mn_kit: this kernel is too old"
#endif

/*
 * The two passes of an interval notifier came in 7.x and may be backported, so
 * the Makefile looks into the header and defines MN_KIT_TWO_PASS.
 */

/*
 * struct mmu_notifier_subscriptions is private to mm/mmu_notifier.c.  This is
 * its layout in all of 6.1 to 7.3; mn_kit_learn_layout() compares it with a live
 * one before anything is read through it, and says so if it does not fit.
 */
struct mn_kit_subscriptions {
	struct hlist_head list;
	bool has_itree;
	spinlock_t lock;		/* for all below */
	unsigned long invalidate_seq;
	unsigned long active_invalidate_ranges;
	struct rb_root_cached itree;
	wait_queue_head_t wq;
	struct hlist_head deferred_list;
};

/*
 * Is current where DEBUG_ATOMIC_SLEEP would catch it sleeping?  On PREEMPT_RT a
 * patched kernel has no non_block_start() there, and a stock kernel has some.
 */
static inline bool mn_kit_in_non_block(void)
{
#if defined(CONFIG_DEBUG_ATOMIC_SLEEP) && !defined(CONFIG_PREEMPT_RT)
	return current->non_block_count > 0;
#else
	return true;
#endif
}

#endif
