// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for mmu notifiers: which callbacks run for a range, above all if
 * one of them refuses it.
 *
 * Each case has an mm of its own, without any VMA.  On a kernel that never ends
 * a refused range, mmu_interval_notifier_remove() never returns.  A work item
 * calls it, so that a case fails after a timeout and leaks its mm.
 */
#include <kunit/test.h>
#include <linux/bitops.h>
#include <linux/completion.h>
#include <linux/debug_locks.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <asm/sections.h>
#include <trace/events/mmu_notifier.h>

#define MN_MAX		32		/* notifiers of each kind */
#define MN_START	(16 * PAGE_SIZE)
#define MN_END		(MN_START + MN_MAX * PAGE_SIZE)

#ifdef BASE_WARNING_SUPPRESS
/* A callback that breaks a rule is reported by WARN(), once */
#define expect_reports(test, n)						\
	KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test,			\
					      IS_ENABLED(CONFIG_BUG) ? (n) : 0)
#else
/* KUnit cannot suppress and count the reports: they come on the console */
#define kunit_warning_suppress(test)
#define expect_reports(test, n)
#endif

struct mn_hlist {
	struct mmu_notifier mn;
	struct mn_test *t;
	bool registered;
	int nonblock_ret;
	int blockable_ret;
	unsigned long put_in_start;	/* notifiers that the callback puts */
	unsigned long put_in_end;
	unsigned int starts;
	unsigned int ends;
};

struct mn_interval {
	struct mmu_interval_notifier mni;
	struct mn_test *t;
	bool inserted;
	bool refuses_nonblock;
	bool refuses_blockable;
	unsigned int calls;
#ifdef BASE_TWO_PASS
	struct mmu_interval_notifier_finish finish;
	unsigned int finishes;
#endif
};

struct mn_test {
	struct mm_struct *mm;
	struct mn_hlist hlist[MN_MAX];	/* in ascending order of address */
	struct mn_interval interval[MN_MAX];
	unsigned int puts;
	struct completion freed;
	unsigned int atomic;
	struct work_struct work;
	unsigned int removals;		/* what the work item removes */
	struct completion removed;
	bool stuck;			/* the work item never returned */
	unsigned int refusals;		/* that were traced */
	const void *refused_by[3];
};

/* Count the callbacks in which DEBUG_ATOMIC_SLEEP reports a sleep */
static void mn_count_atomic(struct mn_test *t)
{
#ifdef CONFIG_DEBUG_ATOMIC_SLEEP
	t->atomic += !!current->non_block_count;
#endif
}

static void mn_put(struct mn_test *t, unsigned long mask)
{
	unsigned int i;

	for_each_set_bit(i, &mask, MN_MAX) {
		if (!t->hlist[i].registered)
			continue;
		t->hlist[i].registered = false;
		t->puts++;
		mmu_notifier_put(&t->hlist[i].mn);
	}
}

static int mn_start(struct mmu_notifier *mn,
		    const struct mmu_notifier_range *range)
{
	struct mn_hlist *n = container_of(mn, struct mn_hlist, mn);

	mn_count_atomic(n->t);
	n->starts++;
	mn_put(n->t, n->put_in_start);
	return mmu_notifier_range_blockable(range) ? n->blockable_ret :
						     n->nonblock_ret;
}

/* Another callback, because the core reports each of them once */
static int mn_start_other(struct mmu_notifier *mn,
			  const struct mmu_notifier_range *range)
{
	return mn_start(mn, range);
}

static void mn_end(struct mmu_notifier *mn,
		   const struct mmu_notifier_range *range)
{
	struct mn_hlist *n = container_of(mn, struct mn_hlist, mn);

	mn_count_atomic(n->t);
	n->ends++;
	mn_put(n->t, n->put_in_end);
}

static void mn_free(struct mmu_notifier *mn)
{
	complete(&container_of(mn, struct mn_hlist, mn)->t->freed);
}

static const struct mmu_notifier_ops mn_ops = {
	.invalidate_range_start = mn_start,
	.invalidate_range_end = mn_end,
	.free_notifier = mn_free,
};

static const struct mmu_notifier_ops mn_start_only_ops = {
	.invalidate_range_start = mn_start_other,
	.free_notifier = mn_free,
};

static const struct mmu_notifier_ops mn_end_only_ops = {
	.invalidate_range_end = mn_end,
	.free_notifier = mn_free,
};

static bool mn_invalidate(struct mmu_interval_notifier *mni,
			  const struct mmu_notifier_range *range,
			  unsigned long cur_seq)
{
	struct mn_interval *n = container_of(mni, struct mn_interval, mni);

	mn_count_atomic(n->t);
	n->calls++;
	if (mmu_notifier_range_blockable(range) ? n->refuses_blockable :
						  n->refuses_nonblock)
		return false;
	mmu_interval_set_seq(mni, cur_seq);
	return true;
}

#ifdef BASE_TWO_PASS
static bool mn_invalidate_start(struct mmu_interval_notifier *mni,
				const struct mmu_notifier_range *range,
				unsigned long cur_seq,
				struct mmu_interval_notifier_finish **finish)
{
	/* If this refuses, the core must not call the second pass */
	*finish = &container_of(mni, struct mn_interval, mni)->finish;
	return mn_invalidate(mni, range, cur_seq);
}

static void mn_invalidate_finish(struct mmu_interval_notifier_finish *finish)
{
	struct mn_interval *n = container_of(finish, struct mn_interval, finish);

	mn_count_atomic(n->t);
	n->finishes++;
}

#endif

static const struct mmu_interval_notifier_ops mn_interval_ops[] = {
	{ .invalidate = mn_invalidate },
#ifdef BASE_TWO_PASS
	{
		.invalidate_start = mn_invalidate_start,
		.invalidate_finish = mn_invalidate_finish,
	},
#endif
};

static void mn_range_init(struct mn_test *t, struct mmu_notifier_range *range)
{
#ifdef BASE_RANGE_HAS_VMA
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, NULL, t->mm,
				MN_START, MN_END);
#else
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, t->mm, MN_START,
				MN_END);
#endif
}

static int reap(struct mn_test *t)
{
	struct mmu_notifier_range range;
	int ret;

	mn_range_init(t, &range);
	mmap_read_lock(t->mm);
	ret = mmu_notifier_invalidate_range_start_nonblock(&range);
	if (!ret)
		mmu_notifier_invalidate_range_end(&range);
	mmap_read_unlock(t->mm);
	return ret;
}

/* mmu_notifier_invalidate_range_start() hides the result, which must be 0 */
static int zap(struct mn_test *t)
{
	struct mmu_notifier_range range;
	int ret;

	mn_range_init(t, &range);
	range.flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;
	ret = __mmu_notifier_invalidate_range_start(&range);
#ifdef BASE_RANGE_HAS_VMA
	__mmu_notifier_invalidate_range_end(&range, false);
#else
	__mmu_notifier_invalidate_range_end(&range);
#endif
	return ret;
}

/* Register @n hlist notifiers in mixed order.  @n must not be a multiple of 37. */
static void mn_register(struct kunit *test, unsigned int n)
{
	struct mn_test *t = test->priv;

	for (unsigned int k = 0; k < n; k++) {
		unsigned int i = (k * 37 + 11) % n;

		KUNIT_ASSERT_EQ(test, mmu_notifier_register(&t->hlist[i].mn,
							    t->mm), 0);
		t->hlist[i].registered = true;
	}
}

#ifdef BASE_TWO_PASS
/* Insert @n interval notifiers of one page each.  Odd ones have two passes. */
#else
/* Insert @n interval notifiers of one page each. */
#endif
static void mn_insert(struct kunit *test, unsigned int first, unsigned int n)
{
	struct mn_test *t = test->priv;

	for (unsigned int i = first; i < first + n; i++) {
		unsigned int k = i % ARRAY_SIZE(mn_interval_ops);
		int ret;

		ret = mmu_interval_notifier_insert(&t->interval[i].mni, t->mm,
						   MN_START + i * PAGE_SIZE,
						   PAGE_SIZE,
						   &mn_interval_ops[k]);
		KUNIT_ASSERT_EQ(test, ret, 0);
		t->interval[i].inserted = true;
	}
}

static void expect_hlist(struct kunit *test, unsigned int i,
			 unsigned int starts, unsigned int ends)
{
	struct mn_test *t = test->priv;

	KUNIT_EXPECT_EQ_MSG(test, t->hlist[i].starts, starts,
			    "starts of hlist notifier %u", i);
	KUNIT_EXPECT_EQ_MSG(test, t->hlist[i].ends, ends,
			    "ends of hlist notifier %u", i);
}

static void expect_interval(struct kunit *test, unsigned int i,
			    unsigned int calls, unsigned int accepted)
{
	struct mn_test *t = test->priv;

	KUNIT_EXPECT_EQ_MSG(test, t->interval[i].calls, calls,
			    "calls of interval notifier %u", i);
#ifdef BASE_TWO_PASS
	/* A second pass follows each first pass that returned true */
	KUNIT_EXPECT_EQ_MSG(test, t->interval[i].finishes,
			    i % 2 ? accepted : 0,
			    "second passes of interval notifier %u", i);
#endif
}

/* mmu_interval_notifier_remove() waits until the end of an open range */
static void mn_remove_work(struct work_struct *work)
{
	struct mn_test *t = container_of(work, struct mn_test, work);

	for (unsigned int i = 0; i < t->removals; i++) {
		if (t->interval[i].inserted)
			mmu_interval_notifier_remove(&t->interval[i].mni);
		t->interval[i].inserted = false;
	}
	complete(&t->removed);
}

/* Let a work item remove the interval notifiers below @n */
static void mn_remove(struct mn_test *t, unsigned int n)
{
	t->removals = n;
	reinit_completion(&t->removed);
#ifdef BASE_DFL_WQ
	queue_work(system_dfl_wq, &t->work);
#else
	queue_work(system_unbound_wq, &t->work);
#endif
}

static void expect_removed(struct kunit *test)
{
	struct mn_test *t = test->priv;

	t->stuck = !wait_for_completion_timeout(&t->removed, 10 * HZ);
	KUNIT_EXPECT_FALSE_MSG(test, t->stuck, "the interval tree was not ended");
}

static void expect_tree_ended(struct kunit *test)
{
	struct mn_test *t = test->priv;

	/* If an earlier range is still open, this one cannot end the tree */
	reap(t);
	mn_remove(t, MN_MAX);
	expect_removed(test);
}

static int mn_test_init(struct kunit *test)
{
	struct mn_test *t;

#ifdef BASE_KMALLOC_OBJ
	t = kzalloc_obj(*t);
#else
	t = kzalloc(sizeof(*t), GFP_KERNEL);
#endif
	if (t)
		t->mm = mm_alloc();
	if (!t || !t->mm) {
		kfree(t);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < MN_MAX; i++) {
		t->hlist[i].t = t;
		t->hlist[i].mn.ops = &mn_ops;
		t->interval[i].t = t;
	}
	init_completion(&t->freed);
	init_completion(&t->removed);
	INIT_WORK(&t->work, mn_remove_work);
	test->priv = t;

	/* Report each callback again. This rearms pr_warn_once(), too. */
	memset(__start_once, 0, __end_once - __start_once);
	return 0;
}

static void mn_test_exit(struct kunit *test)
{
	struct mn_test *t = test->priv;

	if (!t)
		return;
	if (!t->stuck)
		expect_tree_ended(test);
	/* A stuck work item still uses all of this */
	if (t->stuck)
		return;
	mn_put(t, ~0ul);
	for (; t->puts; t->puts--)
		wait_for_completion(&t->freed);
	mmput(t->mm);
	kfree(t);
}

/* Of @n notifiers, the one with index @refuser refuses */
struct refusal {
	unsigned int n;
	unsigned int refuser;
};

static const struct refusal refusals[] = {
	{ 1, 0 }, { 2, 0 }, { 2, 1 }, { 5, 0 }, { 5, 2 }, { 5, 4 }, { 32, 15 },
};

static void refusal_desc(const struct refusal *r, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "notifier %u of %u refuses",
		 r->refuser + 1, r->n);
}

KUNIT_ARRAY_PARAM(refusal, refusals, refusal_desc);

/* Ranges that no notifier refuses */

static void an_accepted_range_is_started_and_ended_once(struct kunit *test)
{
	struct mn_test *t = test->priv;

	mn_register(test, 9);
	mn_insert(test, 0, 4);
	KUNIT_EXPECT_EQ(test, reap(t), 0);
	KUNIT_EXPECT_EQ(test, zap(t), 0);
	for (unsigned int i = 0; i < 9; i++)
		expect_hlist(test, i, 2, 2);
	for (unsigned int i = 0; i < 4; i++)
		expect_interval(test, i, 2, 2);
}

/* Ranges that an hlist notifier refuses */

static void a_refusal_ends_only_the_started_notifiers(struct kunit *test)
{
	const struct refusal *r = test->param_value;
	struct mn_test *t = test->priv;

	mn_register(test, r->n);
	t->hlist[r->refuser].nonblock_ret = -EAGAIN;
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
		expect_reports(test, 0);
	}
	for (unsigned int i = 0; i < r->n; i++)
		expect_hlist(test, i, i <= r->refuser, i < r->refuser);

	/* It does not affect the next range */
	t->hlist[r->refuser].nonblock_ret = 0;
	KUNIT_EXPECT_EQ(test, reap(t), 0);
	for (unsigned int i = 0; i < r->n; i++)
		expect_hlist(test, i, 1 + (i <= r->refuser),
			     1 + (i < r->refuser));
}

static void a_refusal_does_not_end_a_notifier_without_start(struct kunit *test)
{
	struct mn_test *t = test->priv;

	t->hlist[0].mn.ops = &mn_end_only_ops;
	t->hlist[1].mn.ops = &mn_start_only_ops;
	mn_register(test, 3);
	t->hlist[2].nonblock_ret = -EAGAIN;
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	expect_hlist(test, 0, 0, 0);
	expect_hlist(test, 1, 1, 0);

	t->hlist[2].nonblock_ret = 0;
	KUNIT_EXPECT_EQ(test, reap(t), 0);
	expect_hlist(test, 0, 0, 1);
	expect_hlist(test, 1, 2, 0);
}

static void an_hlist_refusal_ends_the_interval_tree(struct kunit *test)
{
	struct mn_test *t = test->priv;
	unsigned long seq;

	mn_register(test, 3);
	mn_insert(test, 0, 4);
	t->hlist[1].nonblock_ret = -EAGAIN;
	seq = mmu_interval_read_begin(&t->interval[0].mni);
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	for (unsigned int i = 0; i < 4; i++)
		expect_interval(test, i, 1, 1);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_retry(&t->interval[0].mni,
							seq));
	expect_tree_ended(test);
}

/* Ranges that an interval notifier refuses */

static void an_interval_refusal_calls_no_later_notifier(struct kunit *test)
{
	const struct refusal *r = test->param_value;
	struct mn_test *t = test->priv;

	mn_register(test, 2);
	mn_insert(test, 0, r->n);
	t->interval[r->refuser].refuses_nonblock = true;
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	for (unsigned int i = 0; i < r->n; i++)
		expect_interval(test, i, i <= r->refuser, i < r->refuser);
	for (unsigned int i = 0; i < 2; i++)
		expect_hlist(test, i, 0, 0);
	expect_tree_ended(test);
}

static void a_refusal_does_not_end_an_outer_range(struct kunit *test)
{
	struct mn_test *t = test->priv;
	struct mmu_notifier_range outer;

	mn_register(test, 2);
	mn_insert(test, 0, 2);
	mn_range_init(t, &outer);
	mmu_notifier_invalidate_range_start(&outer);
	/* Both must wait for the end of the outer range */
	mn_insert(test, 2, 1);
	mn_remove(t, 1);

	t->hlist[1].nonblock_ret = -EAGAIN;
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	t->interval[1].refuses_nonblock = true;
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	/* On a correct kernel it waits even if the guest is slow */
	msleep(100);
	KUNIT_EXPECT_FALSE(test, completion_done(&t->removed));
	expect_interval(test, 2, 0, 0);
	mmu_notifier_invalidate_range_end(&outer);
	expect_removed(test);

	zap(t);
	expect_hlist(test, 0, 3, 3);
	expect_hlist(test, 1, 3, 2);
	expect_interval(test, 0, 3, 3);
	expect_interval(test, 1, 4, 3);
	expect_interval(test, 2, 1, 1);
}

/* Callbacks that break a rule */

static void a_wrong_refusal_code_becomes_eagain(struct kunit *test)
{
	struct mn_test *t = test->priv;

	t->hlist[3].mn.ops = &mn_start_only_ops;
	mn_register(test, 5);
	kunit_warning_suppress(test) {
		t->hlist[1].nonblock_ret = -EINTR;
		KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
		expect_reports(test, 1);
		t->hlist[1].nonblock_ret = 1;
		KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
		expect_reports(test, 1);
		t->hlist[1].nonblock_ret = 0;
		t->hlist[3].nonblock_ret = -ENOMEM;
		KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
		expect_reports(test, 2);
	}
	expect_hlist(test, 0, 3, 3);
	expect_hlist(test, 1, 3, 1);
	expect_hlist(test, 2, 1, 1);
	expect_hlist(test, 3, 1, 0);
	expect_hlist(test, 4, 0, 0);
}

static void a_failed_blockable_start_counts_as_started(struct kunit *test)
{
	struct mn_test *t = test->priv;

	t->hlist[1].blockable_ret = -EAGAIN;
	t->hlist[3].blockable_ret = -EINTR;
	t->hlist[3].mn.ops = &mn_start_only_ops;
	mn_register(test, 5);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, zap(t), 0);
		expect_reports(test, 2);
		KUNIT_EXPECT_EQ(test, zap(t), 0);
		expect_reports(test, 2);
	}
	for (unsigned int i = 0; i < 5; i++)
		expect_hlist(test, i, 2, i == 3 ? 0 : 2);
}

static void an_interval_refusal_of_a_blockable_range_is_ignored(struct kunit *test)
{
	struct mn_test *t = test->priv;

	mn_register(test, 1);
	mn_insert(test, 0, 4);
	t->interval[1].refuses_blockable = true;
	t->interval[2].refuses_blockable = true;
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, zap(t), 0);
		expect_reports(test, 2);
		KUNIT_EXPECT_EQ(test, zap(t), 0);
		expect_reports(test, 2);
		/* The release of the mm is another rule */
		__mmu_notifier_release(t->mm);
		expect_reports(test, 4);
	}
	expect_hlist(test, 0, 2, 2);
	for (unsigned int i = 0; i < 4; i++)
		expect_interval(test, i, 3, i == 1 ? 0 : 3);
}

/* Notifiers that are removed */

static void a_refusal_ends_the_notifiers_that_were_not_put(struct kunit *test)
{
	struct mn_test *t = test->priv;

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "mmu_notifier_put() takes a sleeping lock");
	mn_register(test, 8);
	t->hlist[0].put_in_start = BIT(0);
	t->hlist[1].put_in_end = BIT(1);
	t->hlist[5].put_in_start = BIT(3) | BIT(5) | BIT(6);
	t->hlist[5].nonblock_ret = -EAGAIN;
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	for (unsigned int i = 0; i < 8; i++)
		expect_hlist(test, i, i <= 5, i < 5 && i != 0 && i != 3);
}

static void no_callback_runs_after_unregister(struct kunit *test)
{
	struct mn_test *t = test->priv;

	mn_register(test, 3);
	t->hlist[1].nonblock_ret = -EAGAIN;
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	t->hlist[0].registered = false;
	mmu_notifier_unregister(&t->hlist[0].mn, t->mm);
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	KUNIT_EXPECT_EQ(test, zap(t), 0);
	expect_hlist(test, 0, 1, 1);
	expect_hlist(test, 1, 3, 1);
	expect_hlist(test, 2, 1, 1);
}

/* Debugging aids */

static void only_a_nonblocking_range_forbids_to_sleep(struct kunit *test)
{
	struct mn_test *t = test->priv;

	if (!IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP) ||
	    IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "needs DEBUG_ATOMIC_SLEEP, and no PREEMPT_RT");
	mn_register(test, 3);
	KUNIT_EXPECT_EQ(test, reap(t), 0);
	t->hlist[2].nonblock_ret = -EAGAIN;
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	/* 3 starts and 3 ends, then 3 starts and 2 ends */
	KUNIT_EXPECT_EQ(test, t->atomic, 11);
	mn_insert(test, 0, 2);
	KUNIT_EXPECT_EQ(test, zap(t), 0);
	KUNIT_EXPECT_EQ(test, t->atomic, 11);
}

static void mn_probe(void *data, const void *callback,
		     const struct mmu_notifier_range *range)
{
	struct mn_test *t = data;

	if (range->mm != t->mm || range->start != MN_START || range->end != MN_END)
		return;
	if (t->refusals < ARRAY_SIZE(t->refused_by))
		t->refused_by[t->refusals] = callback;
	t->refusals++;
}

static void each_refusal_is_traced_once(struct kunit *test)
{
	struct mn_test *t = test->priv;

	mn_register(test, 3);
	mn_insert(test, 0, 3);
	if (register_trace_mmu_notifier_refused(mn_probe, t))
		kunit_skip(test, "needs TRACEPOINTS");

	reap(t);
	t->hlist[1].nonblock_ret = -EAGAIN;
	reap(t);
	t->interval[2].refuses_nonblock = true;
	reap(t);
	t->interval[1].refuses_nonblock = true;
	reap(t);
	unregister_trace_mmu_notifier_refused(mn_probe, t);
	tracepoint_synchronize_unregister();

	KUNIT_EXPECT_EQ(test, t->refusals, 3);
	KUNIT_EXPECT_PTR_EQ(test, t->refused_by[0], (void *)mn_start);
	KUNIT_EXPECT_PTR_EQ(test, t->refused_by[1], (void *)mn_invalidate);
#ifdef BASE_TWO_PASS
	KUNIT_EXPECT_PTR_EQ(test, t->refused_by[2], (void *)mn_invalidate_start);
#else
	KUNIT_EXPECT_PTR_EQ(test, t->refused_by[2], (void *)mn_invalidate);
#endif
}

#ifdef BASE_WARNING_SUPPRESS
static void a_nonblocking_range_needs_the_mmap_lock(struct kunit *test)
{
	struct mn_test *t = test->priv;
	struct mmu_notifier_range range;

	mn_register(test, 1);
	mn_range_init(t, &range);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, reap(t), 0);
		expect_reports(test, 0);
		KUNIT_EXPECT_EQ(test, mmu_notifier_invalidate_range_start_nonblock(&range), 0);
		expect_reports(test, !IS_ENABLED(CONFIG_LOCKDEP) || debug_locks);
		mmu_notifier_invalidate_range_end(&range);
	}
}
#endif

static struct kunit_case mmu_notifier_test_cases[] = {
	KUNIT_CASE(an_accepted_range_is_started_and_ended_once),
	KUNIT_CASE_PARAM(a_refusal_ends_only_the_started_notifiers, refusal_gen_params),
	KUNIT_CASE(a_refusal_does_not_end_a_notifier_without_start),
	KUNIT_CASE(an_hlist_refusal_ends_the_interval_tree),
	KUNIT_CASE_PARAM(an_interval_refusal_calls_no_later_notifier, refusal_gen_params),
	KUNIT_CASE(a_refusal_does_not_end_an_outer_range),
	KUNIT_CASE(a_wrong_refusal_code_becomes_eagain),
	KUNIT_CASE(a_failed_blockable_start_counts_as_started),
	KUNIT_CASE(an_interval_refusal_of_a_blockable_range_is_ignored),
	KUNIT_CASE(a_refusal_ends_the_notifiers_that_were_not_put),
	KUNIT_CASE(no_callback_runs_after_unregister),
	KUNIT_CASE(only_a_nonblocking_range_forbids_to_sleep),
	KUNIT_CASE(each_refusal_is_traced_once),
#ifdef BASE_WARNING_SUPPRESS
	KUNIT_CASE(a_nonblocking_range_needs_the_mmap_lock),
#endif
	{}
};

static struct kunit_suite mmu_notifier_test_suite = {
	.name = "mmu_notifier",
	.init = mn_test_init,
	.exit = mn_test_exit,
	.test_cases = mmu_notifier_test_cases,
};

kunit_test_suite(mmu_notifier_test_suite);

MODULE_DESCRIPTION("Tests for mmu notifiers");
MODULE_LICENSE("GPL");
