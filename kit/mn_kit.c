// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conformance kit for mmu notifiers: subscriptions whose behaviour is scripted
 * from user space and that count what the core does to them.
 *
 * mn_kit.h describes the interface.  The lifetime rules in short: a file holds a
 * session, each piece of work holds one more reference, and the module stays
 * loaded until the last subscription is gone.  On an affected kernel the removal
 * of an interval notifier may never return; then a worker is stuck and the module
 * cannot be unloaded, but no caller is.
 */
#define pr_fmt(fmt) "mn_kit: " fmt

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "mn_kit.h"

/* Where the slots of sessions to come are: they stand in the list by address */
static bool far;
module_param(far, bool, 0600);
MODULE_PARM_DESC(far, "place a session behind whatever kmalloc() gives to others");

/* How long a held callback spins for its condition before it gives up */
#define MN_KIT_HOLD_LIMIT	(5 * HZ)

enum mn_kit_slot_state {
	SLOT_EMPTY,
	SLOT_LIVE,
	SLOT_REMOVING,
	SLOT_REMOVED,
};

struct mn_kit_slot {
	struct mn_kit_session *session;
	/* session->lock, but for the step to SLOT_REMOVED */
	enum mn_kit_slot_state state;
	enum mn_kit_kind kind;
	union {
		struct mmu_notifier mn;
		struct mmu_interval_notifier in;
	};
	struct mmu_notifier_ops ops;
	spinlock_t seq_lock;		/* the "user_lock" of an interval notifier */
	struct completion freed;	/* ops.free_notifier() has run */
	struct work_struct remove;
	struct work_struct read;
	bool reading;

	/* script, written by MN_KIT_SCRIPT, read by callbacks */
	int nonblock_ret;
	int blockable_ret;
	atomic_t times;			/* refusals left, negative: no limit */
	u32 hold;
	struct mn_kit_slot *hold_slots[MN_KIT_HOLD_SLOTS];
	u32 hold_count;
	bool holding;

	atomic64_t blockable, nonblock, accepted, refused, ends, finishes;
	atomic64_t open, stray, late, unbracketed, gathered, order;
	atomic64_t hold_timeouts;
};

struct mn_kit_session {
	struct kref ref;
	struct mutex lock;		/* all but what callbacks use */
	struct mm_struct *mm;		/* mmgrab() held once bound */
	u32 flags;
	bool peek;			/* the layout in compat.h fits */
	bool gate;
	wait_queue_head_t wq;
	atomic64_t ticket;
	struct work_struct teardown;
	struct mn_kit_slot *slots;
};

static struct workqueue_struct *mn_kit_wq;
static atomic_t mn_kit_sessions = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(mn_kit_sessions_wq);

/* ops->alloc_notifier() is told the mm only; these two tell it the slot */
static DEFINE_MUTEX(mn_kit_get_lock);
static struct mn_kit_slot *mn_kit_get_slot;

static void mn_kit_session_free(struct kref *ref)
{
	struct mn_kit_session *session =
		container_of(ref, struct mn_kit_session, ref);

	if (session->mm)
		mmdrop(session->mm);
	kvfree(session->slots);
	kfree(session);
	atomic_dec(&mn_kit_sessions);
	wake_up_all(&mn_kit_sessions_wq);
}

static void mn_kit_session_put(struct mn_kit_session *session)
{
	kref_put(&session->ref, mn_kit_session_free);
}

/*
 * Callbacks
 */

/* Are the hlist notifiers that a refusal is held for off the list? */
static bool mn_kit_unhashed(struct mn_kit_slot *slot)
{
	u32 i;

	for (i = 0; i < slot->hold_count; i++)
		if (!hlist_unhashed_lockless(&slot->hold_slots[i]->mn.hlist))
			return false;
	return true;
}

/* Spin where a callback may not sleep, until the script's condition holds. */
static void mn_kit_hold(struct mn_kit_slot *slot)
{
	struct mn_kit_session *session = slot->session;
	unsigned long limit = jiffies + MN_KIT_HOLD_LIMIT;
	u32 hold = xchg(&slot->hold, MN_KIT_HOLD_NONE);

	if (hold == MN_KIT_HOLD_NONE)
		return;

	WRITE_ONCE(slot->holding, true);
	wake_up_all(&session->wq);
	while (hold == MN_KIT_HOLD_GATE ? !READ_ONCE(session->gate) :
	       !mn_kit_unhashed(slot)) {
		/* The SRCU read side we are in is shared by all of the system */
		if (time_after(jiffies, limit) || fatal_signal_pending(current)) {
			atomic64_inc(&slot->hold_timeouts);
			break;
		}
		cpu_relax();
	}
}

static void mn_kit_check_late(struct mn_kit_slot *slot)
{
	/* Pairs with the release in mn_kit_remove_work() */
	if (smp_load_acquire(&slot->state) == SLOT_REMOVED)
		atomic64_inc(&slot->late);
}

static void mn_kit_check_bracket(struct mn_kit_slot *slot,
				 const struct mmu_notifier_range *range)
{
	if (!mmu_notifier_range_blockable(range) && !mn_kit_in_non_block())
		atomic64_inc(&slot->unbracketed);
}

/* Count a start and return what the script says. */
static int mn_kit_start(struct mn_kit_slot *slot,
			const struct mmu_notifier_range *range)
{
	int ret;

	mn_kit_check_late(slot);
	mn_kit_check_bracket(slot, range);
	atomic64_set(&slot->order, atomic64_inc_return(&slot->session->ticket));

	if (mmu_notifier_range_blockable(range)) {
		atomic64_inc(&slot->blockable);
		ret = READ_ONCE(slot->blockable_ret);
	} else {
		atomic64_inc(&slot->nonblock);
		if (atomic_read(&range->mm->tlb_flush_pending))
			atomic64_inc(&slot->gathered);
		ret = READ_ONCE(slot->nonblock_ret);
		if (ret && atomic_read(&slot->times) >= 0 &&
		    atomic_dec_if_positive(&slot->times) < 0)
			ret = 0;
		if (ret)
			mn_kit_hold(slot);
	}

	atomic64_inc(ret ? &slot->refused : &slot->accepted);
	return ret;
}

static int mn_kit_hlist_start(struct mmu_notifier *mn,
			      const struct mmu_notifier_range *range)
{
	struct mn_kit_slot *slot = container_of(mn, struct mn_kit_slot, mn);
	int ret = mn_kit_start(slot, range);

	/* The core takes an error on a blockable range for a success */
	if (!ret || mmu_notifier_range_blockable(range))
		atomic64_inc(&slot->open);
	return ret;
}

static void mn_kit_hlist_end(struct mmu_notifier *mn,
			     const struct mmu_notifier_range *range)
{
	struct mn_kit_slot *slot = container_of(mn, struct mn_kit_slot, mn);

	mn_kit_check_late(slot);
	mn_kit_check_bracket(slot, range);
	atomic64_inc(&slot->ends);
	if (atomic64_dec_if_positive(&slot->open) < 0)
		atomic64_inc(&slot->stray);
}

static struct mmu_notifier *mn_kit_hlist_alloc(struct mm_struct *mm)
{
	return &mn_kit_get_slot->mn;
}

static void mn_kit_hlist_free(struct mmu_notifier *mn)
{
	complete(&container_of(mn, struct mn_kit_slot, mn)->freed);
}

static void mn_kit_set_seq(struct mn_kit_slot *slot, unsigned long cur_seq)
{
	spin_lock(&slot->seq_lock);
	mmu_interval_set_seq(&slot->in, cur_seq);
	spin_unlock(&slot->seq_lock);
}

static bool mn_kit_interval(struct mmu_interval_notifier *in,
			    const struct mmu_notifier_range *range,
			    unsigned long cur_seq)
{
	struct mn_kit_slot *slot = container_of(in, struct mn_kit_slot, in);

	if (mn_kit_start(slot, range))
		return false;
	mn_kit_set_seq(slot, cur_seq);
	return true;
}

static const struct mmu_interval_notifier_ops mn_kit_interval_ops = {
	.invalidate = mn_kit_interval,
};

#ifdef MN_KIT_TWO_PASS
struct mn_kit_finish {
	struct mmu_interval_notifier_finish finish;
	struct mn_kit_slot *slot;
	bool blockable;
};

static bool mn_kit_interval_start(struct mmu_interval_notifier *in,
				  const struct mmu_notifier_range *range,
				  unsigned long cur_seq,
				  struct mmu_interval_notifier_finish **finish)
{
	struct mn_kit_slot *slot = container_of(in, struct mn_kit_slot, in);
	struct mn_kit_finish *f;

	if (mn_kit_start(slot, range))
		return false;
	mn_kit_set_seq(slot, cur_seq);

	/* Without memory there is no second pass, and this was all of it */
	f = kmalloc(sizeof(*f), GFP_NOWAIT | __GFP_NOWARN);
	if (f) {
		f->slot = slot;
		f->blockable = mmu_notifier_range_blockable(range);
		atomic64_inc(&slot->open);
		*finish = &f->finish;
	}
	return true;
}

static void mn_kit_interval_finish(struct mmu_interval_notifier_finish *finish)
{
	struct mn_kit_finish *f = container_of(finish, struct mn_kit_finish,
					       finish);

	mn_kit_check_late(f->slot);
	if (!f->blockable && !mn_kit_in_non_block())
		atomic64_inc(&f->slot->unbracketed);
	atomic64_inc(&f->slot->finishes);
	if (atomic64_dec_if_positive(&f->slot->open) < 0)
		atomic64_inc(&f->slot->stray);
	kfree(f);
}

static const struct mmu_interval_notifier_ops mn_kit_two_pass_ops = {
	.invalidate_start = mn_kit_interval_start,
	.invalidate_finish = mn_kit_interval_finish,
};

static const struct mmu_interval_notifier_ops *mn_kit_ops(enum mn_kit_kind kind)
{
	return kind == MN_KIT_INTERVAL ? &mn_kit_interval_ops :
					 &mn_kit_two_pass_ops;
}
#else
static const struct mmu_interval_notifier_ops *mn_kit_ops(enum mn_kit_kind kind)
{
	return kind == MN_KIT_INTERVAL ? &mn_kit_interval_ops : NULL;
}
#endif

/*
 * Removal.  Runs in a worker, because on an affected kernel it may not return.
 */
static void mn_kit_remove_work(struct work_struct *work)
{
	struct mn_kit_slot *slot = container_of(work, struct mn_kit_slot, remove);
	struct mn_kit_session *session = slot->session;

	switch (slot->kind) {
	case MN_KIT_HLIST:
		mmu_notifier_unregister(&slot->mn, session->mm);
		break;
	case MN_KIT_HLIST_GET:
		mmu_notifier_put(&slot->mn);
		wait_for_completion(&slot->freed);
		break;
	default:
		mmu_interval_notifier_remove(&slot->in);
		break;
	}

	/* From here on a callback of this slot is late */
	smp_store_release(&slot->state, SLOT_REMOVED);
	wake_up_all(&session->wq);
	mn_kit_session_put(session);
}

static void mn_kit_read_work(struct work_struct *work)
{
	struct mn_kit_slot *slot = container_of(work, struct mn_kit_slot, read);

	mmu_interval_read_begin(&slot->in);
	/* Pairs with the acquire in mn_kit_happened() */
	smp_store_release(&slot->reading, false);
	wake_up_all(&slot->session->wq);
	mn_kit_session_put(slot->session);
}

/* The last one to go: nobody else has the file any more. */
static void mn_kit_teardown(struct mn_kit_session *session)
{
	u32 i;

	/* Let go whoever is held, and queue all removals before waiting for one */
	WRITE_ONCE(session->gate, true);
	for (i = 0; i < MN_KIT_SLOTS; i++) {
		struct mn_kit_slot *slot = &session->slots[i];

		if (slot->state != SLOT_LIVE)
			continue;
		/* A stuck reader uses the subscription: removal would free it */
		flush_work(&slot->read);
		slot->state = SLOT_REMOVING;
		kref_get(&session->ref);
		if (session->flags & MN_KIT_SYNC_CLOSE)
			mn_kit_remove_work(&slot->remove);
		else
			queue_work(mn_kit_wq, &slot->remove);
	}
	for (i = 0; i < MN_KIT_SLOTS; i++)
		if (session->slots[i].state != SLOT_EMPTY)
			flush_work(&session->slots[i].remove);
}

static void mn_kit_teardown_work(struct work_struct *work)
{
	struct mn_kit_session *session =
		container_of(work, struct mn_kit_session, teardown);

	mn_kit_teardown(session);
	mn_kit_session_put(session);
	/* mn_kit_exit() destroys the workqueue, so our text stays until we return */
	module_put(THIS_MODULE);
}

/*
 * Does the layout in compat.h fit this kernel?  Put one subscription of each kind
 * on a fresh mm and see whether everything is where it should be.
 */
static const struct mmu_notifier_ops mn_kit_no_ops = { };

static int mn_kit_learn_layout(struct mn_kit_session *session,
			       struct mm_struct *mm)
{
	struct mn_kit_subscriptions *subs;
	struct mmu_interval_notifier *in;
	struct mmu_notifier *mn;
	int ret;

	/* Not fresh: somebody else is subscribed, or was */
	if (READ_ONCE(mm->notifier_subscriptions))
		return -EBUSY;

	mn = kzalloc(sizeof(*mn), GFP_KERNEL);
	in = kzalloc(sizeof(*in), GFP_KERNEL);
	ret = -ENOMEM;
	if (!mn || !in)
		goto out;

	mn->ops = &mn_kit_no_ops;
	ret = mmu_notifier_register(mn, mm);
	if (ret)
		goto out;
	ret = mmu_interval_notifier_insert(in, mm, 0, PAGE_SIZE,
					   &mn_kit_interval_ops);
	if (ret)
		goto out_unregister;

	subs = (struct mn_kit_subscriptions *)mm->notifier_subscriptions;
	session->peek = subs->list.first == &mn->hlist && !mn->hlist.next &&
			subs->has_itree &&
			subs->itree.rb_root.rb_node == &in->interval_tree.rb &&
			subs->itree.rb_leftmost == &in->interval_tree.rb &&
			subs->invalidate_seq == in->invalidate_seq + 1 &&
			!subs->active_invalidate_ranges &&
			list_empty(&subs->wq.head) &&
			hlist_empty(&subs->deferred_list);
	if (!session->peek)
		ret = -EOPNOTSUPP;

	mmu_interval_notifier_remove(in);
out_unregister:
	mmu_notifier_unregister(mn, mm);
out:
	kfree(in);
	kfree(mn);
	return ret;
}

/*
 * ioctls, all under session->lock but for the waits
 */

static int mn_kit_bind(struct mn_kit_session *session,
		       const struct mn_kit_bind *args)
{
	int ret = 0;

	if (args->flags & ~(MN_KIT_PEEK | MN_KIT_SYNC_CLOSE) || args->reserved)
		return -EINVAL;
	if (session->mm)
		return -EBUSY;
	if (!current->mm)
		return -EINVAL;

	if (args->flags & MN_KIT_PEEK)
		ret = mn_kit_learn_layout(session, current->mm);
	if (ret)
		return ret;

	session->flags = args->flags;
	mmgrab(current->mm);
	session->mm = current->mm;
	return 0;
}

static struct mn_kit_slot *mn_kit_slot(struct mn_kit_session *session, u32 slot)
{
	return slot < MN_KIT_SLOTS ? &session->slots[slot] : NULL;
}

static void mn_kit_slot_reset(struct mn_kit_slot *slot, u32 kind, u32 flags)
{
	slot->kind = kind;
	memset(&slot->ops, 0, sizeof(slot->ops));
	if (!(flags & MN_KIT_NO_START))
		slot->ops.invalidate_range_start = mn_kit_hlist_start;
	if (!(flags & MN_KIT_NO_END))
		slot->ops.invalidate_range_end = mn_kit_hlist_end;
	slot->ops.alloc_notifier = mn_kit_hlist_alloc;
	slot->ops.free_notifier = mn_kit_hlist_free;
	memset(&slot->mn, 0, sizeof(slot->mn));
	memset(&slot->in, 0, sizeof(slot->in));
	slot->mn.ops = &slot->ops;
	reinit_completion(&slot->freed);
	/* A former life may have left between a start and its end */
	atomic64_set(&slot->open, 0);
}

static int mn_kit_add(struct mn_kit_session *session,
		      const struct mn_kit_add *args)
{
	struct mn_kit_slot *slot = mn_kit_slot(session, args->slot);
	bool interval = args->kind >= MN_KIT_INTERVAL;
	struct mmu_notifier *mn;
	int ret;

	if (!slot || args->kind >= MN_KIT_KINDS || args->reserved)
		return -EINVAL;
	if (args->flags & ~(MN_KIT_NO_START | MN_KIT_NO_END))
		return -EINVAL;
	if (interval ? args->flags || !args->length :
		       args->start || args->length)
		return -EINVAL;
	if (interval && !mn_kit_ops(args->kind))
		return -EOPNOTSUPP;
	if (!session->mm)
		return -ENXIO;
	if (slot->state == SLOT_LIVE || slot->state == SLOT_REMOVING)
		return -EBUSY;
	if (!mmget_not_zero(session->mm))
		return -ESRCH;

	/* The work may still be on its way out of mn_kit_remove_work() */
	flush_work(&slot->remove);
	mn_kit_slot_reset(slot, args->kind, args->flags);
	slot->state = SLOT_LIVE;

	switch (args->kind) {
	case MN_KIT_HLIST:
		ret = mmu_notifier_register(&slot->mn, session->mm);
		break;
	case MN_KIT_HLIST_GET:
		mutex_lock(&mn_kit_get_lock);
		mn_kit_get_slot = slot;
		mn = mmu_notifier_get(&slot->ops, session->mm);
		mutex_unlock(&mn_kit_get_lock);
		ret = PTR_ERR_OR_ZERO(mn);
		break;
	default:
		ret = mmu_interval_notifier_insert(&slot->in, session->mm,
						   args->start, args->length,
						   mn_kit_ops(args->kind));
		break;
	}
	if (ret)
		slot->state = SLOT_EMPTY;

	mmput(session->mm);
	return ret;
}

static int mn_kit_script(struct mn_kit_session *session,
			 const struct mn_kit_script *args)
{
	struct mn_kit_slot *slot = mn_kit_slot(session, args->slot);
	u32 i;

	if (!slot || args->hold > MN_KIT_HOLD_UNHASHED ||
	    args->hold_count > MN_KIT_HOLD_SLOTS)
		return -EINVAL;
	if (args->nonblock_ret > 0 || args->nonblock_ret < -MAX_ERRNO ||
	    args->blockable_ret > 0 || args->blockable_ret < -MAX_ERRNO)
		return -EINVAL;
	if (args->hold == MN_KIT_HOLD_UNHASHED ? !args->hold_count : args->hold_count)
		return -EINVAL;
	for (i = 0; i < args->hold_count; i++) {
		struct mn_kit_slot *held = mn_kit_slot(session, args->hold_slots[i]);

		if (!held || held->state != SLOT_LIVE ||
		    held->kind >= MN_KIT_INTERVAL)
			return -EINVAL;
	}
	/* A held callback spins; alone on a CPU it would wait for itself */
	if (args->hold && num_online_cpus() < 2)
		return -EOPNOTSUPP;

	atomic_set(&slot->times, args->nonblock_times > INT_MAX ?
				 -1 : (int)args->nonblock_times);
	WRITE_ONCE(slot->nonblock_ret, args->nonblock_ret);
	WRITE_ONCE(slot->blockable_ret, args->blockable_ret);
	WRITE_ONCE(slot->holding, false);
	for (i = 0; i < args->hold_count; i++)
		slot->hold_slots[i] = &session->slots[args->hold_slots[i]];
	slot->hold_count = args->hold_count;
	WRITE_ONCE(session->gate, false);
	/* Pairs with the xchg() in mn_kit_hold(): the rest of the script first */
	smp_store_release(&slot->hold, args->hold);
	return 0;
}

static int mn_kit_remove(struct mn_kit_session *session, u32 nr)
{
	struct mn_kit_slot *slot = mn_kit_slot(session, nr);

	if (!slot)
		return -EINVAL;
	if (slot->state != SLOT_LIVE || READ_ONCE(slot->reading))
		return -EBUSY;

	slot->state = SLOT_REMOVING;
	kref_get(&session->ref);
	queue_work(mn_kit_wq, &slot->remove);
	return 0;
}

static int mn_kit_read(struct mn_kit_session *session, u32 nr)
{
	struct mn_kit_slot *slot = mn_kit_slot(session, nr);

	if (!slot || slot->kind < MN_KIT_INTERVAL)
		return -EINVAL;
	if (slot->state != SLOT_LIVE || READ_ONCE(slot->reading))
		return -EBUSY;

	WRITE_ONCE(slot->reading, true);
	kref_get(&session->ref);
	queue_work(mn_kit_wq, &slot->read);
	return 0;
}

static int mn_kit_counters(struct mn_kit_session *session,
			   struct mn_kit_counters *args)
{
	struct mn_kit_slot *slot = mn_kit_slot(session, args->slot);

	if (!slot || args->reserved)
		return -EINVAL;

	args->blockable = atomic64_read(&slot->blockable);
	args->nonblock = atomic64_read(&slot->nonblock);
	args->accepted = atomic64_read(&slot->accepted);
	args->refused = atomic64_read(&slot->refused);
	args->ends = atomic64_read(&slot->ends);
	args->finishes = atomic64_read(&slot->finishes);
	args->open = atomic64_read(&slot->open);
	args->stray = atomic64_read(&slot->stray);
	args->late = atomic64_read(&slot->late);
	args->unbracketed = atomic64_read(&slot->unbracketed);
	args->gathered = atomic64_read(&slot->gathered);
	args->order = atomic64_read(&slot->order);
	args->hold_timeouts = atomic64_read(&slot->hold_timeouts);
	return 0;
}

static int mn_kit_state(struct mn_kit_session *session,
			struct mn_kit_state *args)
{
	struct mn_kit_subscriptions *subs;
	struct hlist_node *node;

	if (!session->peek)
		return -EOPNOTSUPP;

	memset(args, 0, sizeof(*args));
	subs = (struct mn_kit_subscriptions *)session->mm->notifier_subscriptions;
	spin_lock(&subs->lock);
	args->active_ranges = subs->active_invalidate_ranges;
	args->sequence = subs->invalidate_seq;
	hlist_for_each(node, &subs->deferred_list)
		args->deferred++;
	spin_unlock(&subs->lock);
	return 0;
}

static bool mn_kit_happened(struct mn_kit_slot *slot, u32 what)
{
	switch (what) {
	case MN_KIT_REMOVED:
		/* Pairs with the release in mn_kit_remove_work() */
		return smp_load_acquire(&slot->state) == SLOT_REMOVED;
	case MN_KIT_HOLDING:
		return READ_ONCE(slot->holding);
	case MN_KIT_READ_DONE:
		/* Pairs with the release in mn_kit_read_work() */
		return !smp_load_acquire(&slot->reading);
	default:
		return atomic_read(&mn_kit_sessions) == 1;
	}
}

/* Returns 0, -ETIMEDOUT or -ERESTARTSYS */
static int mn_kit_wait(struct mn_kit_session *session,
		       const struct mn_kit_wait *args)
{
	struct mn_kit_slot *slot = mn_kit_slot(session, args->slot);
	wait_queue_head_t *wq = args->what == MN_KIT_ALONE ?
				&mn_kit_sessions_wq : &session->wq;
	long ret;

	if (!slot || args->what >= MN_KIT_WHATS || args->reserved ||
	    args->timeout_ms > MN_KIT_MAX_TIMEOUT_MS)
		return -EINVAL;

	ret = wait_event_interruptible_timeout(*wq,
					       mn_kit_happened(slot, args->what),
					       msecs_to_jiffies(args->timeout_ms));
	if (ret < 0)
		return ret;
	return ret ? 0 : -ETIMEDOUT;
}

/* A line in the log that says which test case the lines around it belong to */
static int mn_kit_mark(const struct mn_kit_mark *args)
{
	const char *p;

	if (!args->text[0] || !memchr(args->text, 0, sizeof(args->text)))
		return -EINVAL;
	for (p = args->text; *p; p++)
		if (*p < ' ' || *p > '~')
			return -EINVAL;
	pr_info("%s\n", args->text);
	return 0;
}

static long mn_kit_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mn_kit_session *session = file->private_data;
	void __user *user = (void __user *)arg;
	union {
		struct mn_kit_info info;
		struct mn_kit_bind bind;
		struct mn_kit_add add;
		struct mn_kit_script script;
		struct mn_kit_counters counters;
		struct mn_kit_wait wait;
		struct mn_kit_state state;
		struct mn_kit_mark mark;
		u32 slot;
	} a = { };
	long ret;

	/* One table of sizes for all: the command carries it */
	if (_IOC_TYPE(cmd) != 'n' || _IOC_SIZE(cmd) > sizeof(a))
		return -ENOTTY;
	if (_IOC_DIR(cmd) & _IOC_WRITE && copy_from_user(&a, user, _IOC_SIZE(cmd)))
		return -EFAULT;

	if (cmd == MN_KIT_WAIT)
		return mn_kit_wait(session, &a.wait);

	if (mutex_lock_interruptible(&session->lock))
		return -ERESTARTSYS;
	switch (cmd) {
	case MN_KIT_INFO:
		a.info.version = MN_KIT_VERSION;
		a.info.slots = MN_KIT_SLOTS;
		a.info.sessions = atomic_read(&mn_kit_sessions);
		if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP))
			a.info.features |= MN_KIT_HAS_ATOMIC_SLEEP;
		if (mn_kit_ops(MN_KIT_INTERVAL_TWO_PASS))
			a.info.features |= MN_KIT_HAS_TWO_PASS;
		if (IS_ENABLED(CONFIG_PREEMPT_RT))
			a.info.features |= MN_KIT_HAS_RT;
		ret = 0;
		break;
	case MN_KIT_BIND:
		ret = mn_kit_bind(session, &a.bind);
		break;
	case MN_KIT_ADD:
		ret = mn_kit_add(session, &a.add);
		break;
	case MN_KIT_SCRIPT:
		ret = mn_kit_script(session, &a.script);
		break;
	case MN_KIT_REMOVE:
		ret = mn_kit_remove(session, a.slot);
		break;
	case MN_KIT_COUNTERS:
		ret = mn_kit_counters(session, &a.counters);
		break;
	case MN_KIT_OPEN_GATE:
		WRITE_ONCE(session->gate, true);
		ret = 0;
		break;
	case MN_KIT_READ:
		ret = mn_kit_read(session, a.slot);
		break;
	case MN_KIT_STATE:
		ret = mn_kit_state(session, &a.state);
		break;
	case MN_KIT_MARK:
		ret = mn_kit_mark(&a.mark);
		break;
	default:
		ret = -ENOTTY;
		break;
	}
	mutex_unlock(&session->lock);

	if (!ret && _IOC_DIR(cmd) & _IOC_READ &&
	    copy_to_user(user, &a, _IOC_SIZE(cmd)))
		ret = -EFAULT;
	return ret;
}

static int mn_kit_open(struct inode *inode, struct file *file)
{
	struct mn_kit_session *session;
	u32 i;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;

	session = kzalloc(sizeof(*session), GFP_KERNEL);
	if (!session)
		return -ENOMEM;
	session->slots = READ_ONCE(far) ?
			 vzalloc(array_size(MN_KIT_SLOTS, sizeof(*session->slots))) :
			 kvcalloc(MN_KIT_SLOTS, sizeof(*session->slots), GFP_KERNEL);
	if (!session->slots) {
		kfree(session);
		return -ENOMEM;
	}

	kref_init(&session->ref);
	mutex_init(&session->lock);
	init_waitqueue_head(&session->wq);
	INIT_WORK(&session->teardown, mn_kit_teardown_work);
	for (i = 0; i < MN_KIT_SLOTS; i++) {
		struct mn_kit_slot *slot = &session->slots[i];

		slot->session = session;
		spin_lock_init(&slot->seq_lock);
		init_completion(&slot->freed);
		INIT_WORK(&slot->remove, mn_kit_remove_work);
		INIT_WORK(&slot->read, mn_kit_read_work);
	}
	atomic_inc(&mn_kit_sessions);
	file->private_data = session;
	return 0;
}

static int mn_kit_release(struct inode *inode, struct file *file)
{
	struct mn_kit_session *session = file->private_data;

	if (session->flags & MN_KIT_SYNC_CLOSE) {
		mn_kit_teardown(session);
		mn_kit_session_put(session);
	} else {
		/* The file's own reference keeps the module until we return */
		__module_get(THIS_MODULE);
		queue_work(mn_kit_wq, &session->teardown);
	}
	return 0;
}

static const struct file_operations mn_kit_fops = {
	.owner = THIS_MODULE,
	.open = mn_kit_open,
	.release = mn_kit_release,
	.unlocked_ioctl = mn_kit_ioctl,
};

static struct miscdevice mn_kit_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mn_kit",
	.fops = &mn_kit_fops,
	.mode = 0600,
};

static int __init mn_kit_init(void)
{
	int ret;

	/* A removal may be stuck: the others must not queue behind it */
	mn_kit_wq = alloc_workqueue("mn_kit", WQ_UNBOUND, WQ_MAX_ACTIVE);
	if (!mn_kit_wq)
		return -ENOMEM;
	ret = misc_register(&mn_kit_device);
	if (ret)
		destroy_workqueue(mn_kit_wq);
	return ret;
}

static void __exit mn_kit_exit(void)
{
	misc_deregister(&mn_kit_device);
	destroy_workqueue(mn_kit_wq);
	/* Removal has waited for free_notifier() to run; now let it return */
	mmu_notifier_synchronize();
}

module_init(mn_kit_init);
module_exit(mn_kit_exit);
MODULE_DESCRIPTION("Conformance kit for mmu notifiers");
MODULE_LICENSE("GPL");
