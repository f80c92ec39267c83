// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for what mmu notifiers get from a range, above all from one that
 * is refused.
 *
 * Each case has an mm of its own, without any VMA, and plays the OOM reaper on
 * it: reap() starts a non-blocking range and ends it, unless it was refused.
 * The subscriptions of a case are members of one array, so that the order of
 * their addresses is that of their indices, whatever order they register in.
 *
 * What fails has to report, not to hang: no test waits for an interval notifier
 * unless it has seen that there is nothing to wait for, or has a kworker wait,
 * which may be left behind on a kernel that leaks a range.  Nothing is asserted
 * while a lock is held or a range is open.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kallsyms.h>
#include <linux/kmsg_dump.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#define MN_MAX		67
#define MN_START	(16 * PAGE_SIZE)
#define MN_END		(MN_START + MN_MAX * PAGE_SIZE)
#define MN_ELSEWHERE	(MN_END + 16 * PAGE_SIZE)
#define MN_TIMEOUT	(5 * HZ)

/* An hlist notifier that does what it is told to and counts what it gets */
struct mn_hlist {
	struct mmu_notifier mn;
	struct mn_test *t;
	bool registered;
	int ret;			/* of its start, non-blocking */
	int ret_blockable;
	struct mn_hlist *put_in_start;	/* who is put during its start */
	struct mn_hlist *put_in_end;
	unsigned int starts;
	unsigned int ends;
	unsigned int place;		/* in the order of all starts */
};

/* The same of an interval notifier */
struct mn_interval {
	struct mmu_interval_notifier mni;
	struct mn_test *t;
	bool inserted;
	bool refuses;
	bool refuses_blockable;
	unsigned int calls;
#ifdef BASE_TWO_PASS
	struct mmu_interval_notifier_finish finish;
	bool blockable;
	unsigned int finishes;
#endif
};

struct mn_test {
	struct mm_struct *mm;
	struct mn_hlist hlist[MN_MAX];
	struct mn_interval interval[MN_MAX];
	struct mn_interval probe[2];
	unsigned int starts;		/* of all hlist notifiers */
	unsigned int puts;
	struct completion freed;
	struct work_struct other;	/* what another thread does, to one of */
	struct mn_interval *inserted;
	struct mn_interval *removed;
	struct mn_hlist *unregistered;
	struct completion other_done;
	bool (*other_begun)(struct mn_test *t);	/* a refuser waits for this */
	bool missed;			/* and it did not come */
	bool interval_tree;		/* the mm has or had one */
	bool stuck;			/* the interval tree was not ended */
	unsigned long seq;		/* as mn_is_idle() has last seen it */
	unsigned int callbacks;		/* all of them */
	unsigned int wrong_context;	/* those that may sleep or not */
	unsigned int reports;		/* of mn_watch() */
	bool made_before;		/* what it is to report */
	struct kmsg_dump_iter log;
	char line[512];
	char names[2][KSYM_SYMBOL_LEN + 1];	/* of callbacks, in the log */
};

static struct mn_test *mn_alloc(void)
{
#ifdef BASE_KMALLOC_OBJ
	return kzalloc_obj(struct mn_test);
#else
	return kzalloc(sizeof(struct mn_test), GFP_KERNEL);
#endif
}

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

/* How many lines of the log, since the last call, are about a callback? */
static unsigned int mn_count_lines(struct mn_test *t)
{
	unsigned int n = 0;
	size_t len;

	while (kmsg_dump_get_line(&t->log, false, t->line, sizeof(t->line),
				  &len)) {
		if (strstr(t->line, t->names[0]) ||
		    strstr(t->line, t->names[1]))
			n++;
	}
	return n;
}

/* The mistakes of callbacks, each of which the core reports at a place of its own */
enum mn_mistake {
	NO_MISTAKE,
	WRONG_CODE,
	BLOCKABLE_ERROR,
	INTERVAL_BLOCKABLE,
	INTERVAL_RELEASE,
	MN_MISTAKES
};

/* Made before, in this boot: who reports once may have done so */
static bool mn_made[MN_MISTAKES];

/* Run @range_fn() on the range and count what the core reports meanwhile */
static int mn_watch(struct kunit *test, enum mn_mistake mistake,
		    int (*range_fn)(struct mn_test *t))
{
	struct mn_test *t = test->priv;
	int ret = 0;

	t->made_before = mn_made[mistake];
	mn_made[mistake] = true;
	mn_count_lines(t);
#ifdef BASE_WARNING_SUPPRESS
	/* Reports of broken rules are wanted here, keep them out of the log */
	kunit_warning_suppress(test) {
		ret = range_fn(t);
		t->reports = KUNIT_SUPPRESSED_WARNING_COUNT();
	}
	t->reports += mn_count_lines(t);
#else
	/* Reports of broken rules are wanted here, but once per boot and kind */
	ret = range_fn(t);
	t->reports = mn_count_lines(t);
#endif
	return ret;
}

/* Was the callback called with or without leave to sleep, as it should be? */
static void mn_check_context(struct mn_test *t, bool blockable)
{
	t->callbacks++;
#ifdef CONFIG_DEBUG_ATOMIC_SLEEP
	if (blockable == !!current->non_block_count)
		t->wrong_context++;
#endif
}

/*
 * Called by who is about to refuse: let another thread do its part first.
 * Who refuses must not sleep, so spin.
 */
static void mn_meet_other(struct mn_test *t)
{
	unsigned long timeout = jiffies + MN_TIMEOUT;

	if (!t->other_begun)
		return;
#ifdef BASE_DFL_WQ
	queue_work(system_dfl_wq, &t->other);
#else
	queue_work(system_unbound_wq, &t->other);
#endif
	while (!t->other_begun(t) && !t->missed) {
		t->missed = time_after(jiffies, timeout);
		cpu_relax();
	}
	t->other_begun = NULL;
}

static void mn_put(struct mn_hlist *n)
{
	n->registered = false;
	n->t->puts++;
	mmu_notifier_put(&n->mn);
}

static int mn_start(struct mmu_notifier *mn,
		    const struct mmu_notifier_range *range)
{
	struct mn_hlist *n = container_of(mn, struct mn_hlist, mn);
	bool blockable = mmu_notifier_range_blockable(range);

	mn_check_context(n->t, blockable);
	n->starts++;
	n->place = ++n->t->starts;
	if (n->put_in_start && n->put_in_start->registered)
		mn_put(n->put_in_start);
	if (!blockable && n->ret)
		mn_meet_other(n->t);
	return blockable ? n->ret_blockable : n->ret;
}

static void mn_end(struct mmu_notifier *mn,
		   const struct mmu_notifier_range *range)
{
	struct mn_hlist *n = container_of(mn, struct mn_hlist, mn);

	mn_check_context(n->t, mmu_notifier_range_blockable(range));
	n->ends++;
	if (n->put_in_end && n->put_in_end->registered)
		mn_put(n->put_in_end);
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
	.invalidate_range_start = mn_start,
	.free_notifier = mn_free,
};

static const struct mmu_notifier_ops mn_end_only_ops = {
	.invalidate_range_end = mn_end,
	.free_notifier = mn_free,
};

static bool mn_interval_refuses(struct mn_interval *n,
				const struct mmu_notifier_range *range,
				unsigned long cur_seq)
{
	bool blockable = mmu_notifier_range_blockable(range);

	mn_check_context(n->t, blockable);
	n->calls++;
	/* Who refuses could not take the lock that this is to be called under */
	if (blockable ? n->refuses_blockable : n->refuses) {
		mn_meet_other(n->t);
		return true;
	}
	mmu_interval_set_seq(&n->mni, cur_seq);
	return false;
}

static bool mn_invalidate(struct mmu_interval_notifier *mni,
			  const struct mmu_notifier_range *range,
			  unsigned long cur_seq)
{
	struct mn_interval *n = container_of(mni, struct mn_interval, mni);

	return !mn_interval_refuses(n, range, cur_seq);
}

static const struct mmu_interval_notifier_ops mn_interval_ops = {
	.invalidate = mn_invalidate,
};

#ifdef BASE_TWO_PASS
static bool mn_invalidate_start(struct mmu_interval_notifier *mni,
				const struct mmu_notifier_range *range,
				unsigned long cur_seq,
				struct mmu_interval_notifier_finish **finish)
{
	struct mn_interval *n = container_of(mni, struct mn_interval, mni);

	n->blockable = mmu_notifier_range_blockable(range);
	*finish = &n->finish;
	return !mn_interval_refuses(n, range, cur_seq);
}

static void mn_invalidate_finish(struct mmu_interval_notifier_finish *finish)
{
	struct mn_interval *n = container_of(finish, struct mn_interval, finish);

	mn_check_context(n->t, n->blockable);
	n->finishes++;
}

static const struct mmu_interval_notifier_ops mn_two_pass_ops = {
	.invalidate_start = mn_invalidate_start,
	.invalidate_finish = mn_invalidate_finish,
};
#endif

/* What the OOM reaper and process_mrelease() do */
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

/* What all others do, but for them the result is not to be had */
static int zap(struct mn_test *t)
{
	struct mmu_notifier_range range;
	int ret;

	mn_range_init(t, &range);
	range.flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;
	ret = __mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	return ret;
}

/* Twice, to see what is reported once */

static int reap_twice(struct mn_test *t)
{
	reap(t);
	return reap(t);
}

static int zap_twice(struct mn_test *t)
{
	zap(t);
	return zap(t);
}

enum mn_order { ASCENDING, DESCENDING, SHUFFLED };

static void mn_register(struct kunit *test, unsigned int n, enum mn_order order)
{
	struct mn_test *t = test->priv;
	unsigned int i, k;

	for (k = 0; k < n; k++) {
		switch (order) {
		case ASCENDING:
			i = k;
			break;
		case DESCENDING:
			i = n - 1 - k;
			break;
		default:
			/* All of them: no n in use has a divisor but 1 with 37 */
			i = (k * 37 + 11) % n;
		}
		KUNIT_ASSERT_EQ(test, mmu_notifier_register(&t->hlist[i].mn,
							    t->mm), 0);
		t->hlist[i].registered = true;
	}
}

/* One page each, in the order of their indices */
static void mn_insert(struct kunit *test, unsigned int first, unsigned int n,
		      const struct mmu_interval_notifier_ops *ops)
{
	struct mn_test *t = test->priv;
	unsigned int i;

	for (i = first; i < first + n; i++) {
		KUNIT_ASSERT_EQ(test,
				mmu_interval_notifier_insert(&t->interval[i].mni, t->mm,
							     MN_START + i * PAGE_SIZE,
							     PAGE_SIZE, ops),
				0);
		t->interval[i].inserted = true;
		t->interval_tree = true;
	}
}

static bool mn_is_deferred(struct mn_interval *n)
{
	return RB_EMPTY_NODE(&n->mni.interval_tree.rb);
}

/*
 * Is no range open, and the sequence even?  The first probe makes the sequence
 * of an open range odd if it is not, then the second one is deferred.  To
 * remove one that is deferred does not wait, to remove the other might.
 */
static bool mn_is_idle(struct mn_test *t)
{
	int i;

	if (t->stuck)
		return false;

	for (i = 0; i < 2; i++) {
		if (mmu_interval_notifier_insert(&t->probe[i].mni, t->mm,
						 MN_ELSEWHERE, PAGE_SIZE,
						 &mn_interval_ops)) {
			t->stuck = true;
			return false;
		}
	}
	/* This is the sequence less one if the mm is idle */
	t->seq = t->probe[0].mni.invalidate_seq + 1;
	t->stuck = mn_is_deferred(&t->probe[1]) || t->seq % 2;
	for (i = 0; i < 2; i++) {
		if (!t->stuck || mn_is_deferred(&t->probe[i]))
			mmu_interval_notifier_remove(&t->probe[i].mni);
	}
	return !t->stuck;
}

/* What another thread can do */

static void mn_insert_other(struct work_struct *work)
{
	struct mn_test *t = container_of(work, struct mn_test, other);
	struct mn_interval *n = t->inserted;

	n->inserted = !mmu_interval_notifier_insert(&n->mni, t->mm,
						    MN_START + PAGE_SIZE,
						    PAGE_SIZE, &mn_interval_ops);
	complete(&t->other_done);
}

static bool mn_is_inserted(struct mn_test *t)
{
	return completion_done(&t->other_done);
}

/* Waits for the end of the range */
static void mn_remove_other(struct work_struct *work)
{
	struct mn_test *t = container_of(work, struct mn_test, other);

	mmu_interval_notifier_remove(&t->removed->mni);
	complete(&t->other_done);
}

static bool mn_remove_is_deferred(struct mn_test *t)
{
	return !hlist_unhashed_lockless(&t->removed->mni.deferred_item);
}

/* Waits for all who walk the list */
static void mn_unregister_other(struct work_struct *work)
{
	struct mn_test *t = container_of(work, struct mn_test, other);

	mmu_notifier_unregister(&t->unregistered->mn, t->mm);
	complete(&t->other_done);
}

static bool mn_is_off_the_list(struct mn_test *t)
{
	return hlist_unhashed_lockless(&t->unregistered->mn.hlist);
}

static void arrange_other(struct kunit *test, work_func_t fn,
			  bool (*begun)(struct mn_test *t))
{
	struct mn_test *t = test->priv;

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");
	INIT_WORK(&t->other, fn);
	t->other_begun = begun;
}

/* Wait for the other thread; false if it hangs, then it has hold of it all */
static bool wait_for_other(struct kunit *test)
{
	struct mn_test *t = test->priv;

	KUNIT_EXPECT_FALSE_MSG(test, t->missed, "no other thread came");
	if (wait_for_completion_timeout(&t->other_done, MN_TIMEOUT))
		return true;
	t->stuck = true;
	KUNIT_FAIL(test, "the other thread waits for ever");
	return false;
}

static int mn_test_init(struct kunit *test)
{
	struct mn_test *t;
	int i;

	t = mn_alloc();
	if (!t)
		return -ENOMEM;

	t->mm = mm_alloc();
	if (!t->mm) {
		kfree(t);
		return -ENOMEM;
	}

	for (i = 0; i < MN_MAX; i++) {
		t->hlist[i].t = t;
		t->hlist[i].mn.ops = &mn_ops;
		t->interval[i].t = t;
	}
	t->probe[0].t = t;
	t->probe[1].t = t;
	init_completion(&t->freed);
	init_completion(&t->other_done);
	/* The blank tells a message from an entry of a backtrace */
	snprintf(t->names[0], sizeof(t->names[0]), "%pS ", mn_start);
	snprintf(t->names[1], sizeof(t->names[1]), "%pS ", mn_invalidate);
	kmsg_dump_rewind(&t->log);
	test->priv = t;
	return 0;
}

static void mn_test_exit(struct kunit *test)
{
	struct mn_test *t = test->priv;
	int i;

	if (!t)
		return;
	if (t->stuck)
		goto leak;

	for (i = 0; i < MN_MAX; i++) {
		if (t->hlist[i].registered)
			mn_put(&t->hlist[i]);
	}
	for (i = 0; i < t->puts; i++) {
		if (!wait_for_completion_timeout(&t->freed, MN_TIMEOUT))
			goto leak;
	}

	if (t->interval_tree && !mn_is_idle(t))
		goto leak;
	for (i = 0; i < MN_MAX; i++) {
		if (t->interval[i].inserted)
			mmu_interval_notifier_remove(&t->interval[i].mni);
	}

	mmput(t->mm);
	kfree(t);
	return;

leak:
	KUNIT_FAIL(test, "the mm cannot be torn down, leaked it\n");
}

/*
 * The refusals that the cases below are run with: @n notifiers, of which
 * @refuser refuses, and so does every other one behind it if there are several.
 */
struct refusal {
	unsigned int n;
	unsigned int refuser;
	bool several;
};

static const struct refusal refusals[] = {
	/* alone */
	{ 1, 0 },
	/* beside one other */
	{ 2, 0 }, { 2, 1 }, { 3, 0, true },
	/* beside two */
	{ 3, 0 }, { 3, 1 }, { 3, 2 }, { 4, 1, true },
	/* beside 8 */
	{ 9, 0 }, { 9, 4 }, { 9, 8 }, { 11, 6, true },
	/* beside 64 */
	{ 65, 0 }, { 65, 32 }, { 65, 64 }, { 67, 62, true },
};

static void refusal_desc(const struct refusal *r, char *desc)
{
	const char *who = "middle one";

	if (r->n == 1)
		who = "the only one";
	else if (r->several)
		who = "several";
	else if (!r->refuser)
		who = "first";
	else if (r->refuser == r->n - 1)
		who = "last";

	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s of %u", who, r->n);
}

KUNIT_ARRAY_PARAM(refusal, refusals, refusal_desc);

static bool is_refuser(const struct refusal *r, unsigned int i)
{
	if (r->several)
		return i >= r->refuser && !((i - r->refuser) % 2);
	return i == r->refuser;
}

/* Register the notifiers of the refusal the case is run with */
static const struct refusal *arrange_refusal(struct kunit *test)
{
	const struct refusal *r = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < r->n; i++) {
		if (is_refuser(r, i))
			t->hlist[i].ret = -EAGAIN;
	}
	mn_register(test, r->n, SHUFFLED);
	return r;
}

/* Insert the interval notifiers of the refusal the case is run with */
static const struct refusal *
arrange_interval_refusal(struct kunit *test,
			 const struct mmu_interval_notifier_ops *ops)
{
	const struct refusal *r = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < r->n; i++)
		t->interval[i].refuses = is_refuser(r, i);
	mn_insert(test, 0, r->n, ops);
	return r;
}

static void expect_calls(struct kunit *test, unsigned int i,
			 unsigned int starts, unsigned int ends)
{
	struct mn_test *t = test->priv;

	KUNIT_EXPECT_EQ_MSG(test, t->hlist[i].starts, starts,
			    "starts of notifier %u", i);
	KUNIT_EXPECT_EQ_MSG(test, t->hlist[i].ends, ends,
			    "ends of notifier %u", i);
}

static void expect_idle(struct kunit *test)
{
	KUNIT_EXPECT_TRUE_MSG(test, mn_is_idle(test->priv),
			      "the interval tree was not ended");
}

/* Nobody refuses */

static void count_desc(const unsigned int *n, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u", *n);
}

static const unsigned int counts[] = { 1, 2, 8, 64 };

KUNIT_ARRAY_PARAM(count, counts, count_desc);

static void an_mm_without_notifiers_refuses_nothing(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, reap(test->priv), 0);
}

static void a_granted_range_starts_and_ends_all_once(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	unsigned int i;

	mn_register(test, *n, SHUFFLED);
	KUNIT_EXPECT_EQ(test, reap(test->priv), 0);
	for (i = 0; i < *n; i++)
		expect_calls(test, i, 1, 1);
}

static void a_blockable_range_starts_and_ends_all_once(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	unsigned int i;

	mn_register(test, *n, SHUFFLED);
	KUNIT_EXPECT_EQ(test, zap(test->priv), 0);
	for (i = 0; i < *n; i++)
		expect_calls(test, i, 1, 1);
}

static void order_desc(const enum mn_order *order, char *desc)
{
	static const char * const names[] = {
		[ASCENDING] = "ascending",
		[DESCENDING] = "descending",
		[SHUFFLED] = "shuffled",
	};

	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "registered %s", names[*order]);
}

static const enum mn_order orders[] = { ASCENDING, DESCENDING, SHUFFLED };

KUNIT_ARRAY_PARAM(order, orders, order_desc);

/* What a refusal relies on to find its way back; no promise to drivers */
static void the_list_is_walked_in_ascending_address_order(struct kunit *test)
{
	const enum mn_order *order = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int i;

	mn_register(test, 9, *order);
	KUNIT_EXPECT_EQ(test, reap(t), 0);
	for (i = 0; i < 9; i++)
		KUNIT_EXPECT_EQ(test, t->hlist[i].place, i + 1);
}

/* An hlist notifier refuses */

static void a_refusal_returns_eagain(struct kunit *test)
{
	arrange_refusal(test);
	KUNIT_EXPECT_EQ(test, reap(test->priv), -EAGAIN);
}

static void a_refusal_ends_once_who_was_started_before(struct kunit *test)
{
	const struct refusal *r = arrange_refusal(test);
	unsigned int i;

	KUNIT_EXPECT_EQ(test, reap(test->priv), -EAGAIN);
	for (i = 0; i < r->refuser; i++)
		expect_calls(test, i, 1, 1);
}

static void a_refusal_starts_and_ends_nobody_behind(struct kunit *test)
{
	const struct refusal *r = arrange_refusal(test);
	unsigned int i;

	KUNIT_EXPECT_EQ(test, reap(test->priv), -EAGAIN);
	for (i = r->refuser + 1; i < r->n; i++)
		expect_calls(test, i, 0, 0);
}

static void a_refuser_with_an_end_gets_none(struct kunit *test)
{
	const struct refusal *r = arrange_refusal(test);

	reap(test->priv);
	expect_calls(test, r->refuser, 1, 0);
}

static void skip_unless_there_is_a_log(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_PRINTK))
		kunit_skip(test, "needs CONFIG_PRINTK");
}

static void a_refusal_with_eagain_is_not_reported(struct kunit *test)
{
	struct mn_test *t = test->priv;

	skip_unless_there_is_a_log(test);
	arrange_refusal(test);
	mn_watch(test, NO_MISTAKE, reap);
	KUNIT_EXPECT_EQ(test, t->reports, 0);
}

static void a_notifier_without_an_end_can_refuse(struct kunit *test)
{
	const struct refusal *r = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int i;

	t->hlist[r->refuser].mn.ops = &mn_start_only_ops;
	arrange_refusal(test);
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	for (i = 0; i < r->n; i++)
		expect_calls(test, i, i <= r->refuser, i < r->refuser);
}

static void an_end_only_notifier_gets_no_end_of_a_refusal(struct kunit *test)
{
	const struct refusal *r = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < r->n; i++) {
		if (!is_refuser(r, i))
			t->hlist[i].mn.ops = &mn_end_only_ops;
	}
	arrange_refusal(test);
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	for (i = 0; i < r->n; i++) {
		if (!is_refuser(r, i))
			expect_calls(test, i, 0, 0);
	}
}

static void an_end_only_notifier_gets_the_end_of_a_granted_range(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < *n; i++)
		t->hlist[i].mn.ops = &mn_end_only_ops;
	mn_register(test, *n, SHUFFLED);
	KUNIT_EXPECT_EQ(test, reap(t), 0);
	for (i = 0; i < *n; i++)
		expect_calls(test, i, 0, 1);
}

static void a_refusal_leaves_no_trace_on_the_next_range(struct kunit *test)
{
	const struct refusal *r = arrange_refusal(test);
	struct mn_test *t = test->priv;
	unsigned int i;

	reap(t);
	for (i = 0; i < r->n; i++) {
		t->hlist[i].ret = 0;
		t->hlist[i].starts = 0;
		t->hlist[i].ends = 0;
	}
	KUNIT_EXPECT_EQ(test, reap(t), 0);
	for (i = 0; i < r->n; i++)
		expect_calls(test, i, 1, 1);
}

static void passes_of_refusals_add_up_to_pairs(struct kunit *test)
{
	const struct refusal *r = arrange_refusal(test);
	unsigned int i;

	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, reap(test->priv), -EAGAIN);
	for (i = 0; i < r->n; i++)
		expect_calls(test, i, i <= r->refuser ? 10 : 0,
			     i < r->refuser ? 10 : 0);
}

/* Callbacks that break the rule of 0 or -EAGAIN */

static void code_desc(const int *code, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d", *code);
}

static const int wrong_codes[] = { -EINTR, -ENOMEM, -EBUSY, 1 };

KUNIT_ARRAY_PARAM(wrong_code, wrong_codes, code_desc);

static const int blockable_codes[] = { -EAGAIN, -EINTR, 1 };

KUNIT_ARRAY_PARAM(blockable_code, blockable_codes, code_desc);

static void skip_unless_mistakes_are_reported(struct kunit *test)
{
	skip_unless_there_is_a_log(test);
	if (!IS_ENABLED(CONFIG_BUG))
		kunit_skip(test, "needs CONFIG_BUG");
}

/*
 * Does WARN_ONCE() report each time here, or once per boot?  What KUnit holds
 * back need not count as the one time.
 */
static bool reports_come_again(void)
{
#ifdef BASE_WARNING_SUPPRESS
#ifdef HAVE_ARCH_BUG_FORMAT_ARGS
	/* It is suppressed before it is looked at whether it has come before */
	return true;
#else
	return false;
#endif
#else
	return false;
#endif
}

/*
 * Of a mistake that was made twice.  Who does not get a report that cannot come
 * again has tested nothing.
 */
static void expect_report(struct kunit *test)
{
	struct mn_test *t = test->priv;

	if (!t->reports && t->made_before && !reports_come_again())
		kunit_skip(test, "was reported before, once per boot");
	KUNIT_EXPECT_EQ(test, t->reports, reports_come_again() ? 2 : 1);
}

static void a_wrong_code_is_reported(struct kunit *test)
{
	const int *code = test->param_value;
	struct mn_test *t = test->priv;

	skip_unless_mistakes_are_reported(test);
	t->hlist[4].ret = *code;
	mn_register(test, 9, SHUFFLED);
	mn_watch(test, WRONG_CODE, reap_twice);
	expect_report(test);
}

static void a_wrong_code_comes_out_as_eagain(struct kunit *test)
{
	const int *code = test->param_value;
	struct mn_test *t = test->priv;

	t->hlist[4].ret = *code;
	mn_register(test, 9, SHUFFLED);
	KUNIT_EXPECT_EQ(test, mn_watch(test, WRONG_CODE, reap), -EAGAIN);
}

static void a_wrong_code_is_a_refusal(struct kunit *test)
{
	const int *code = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int i;

	t->hlist[4].ret = *code;
	mn_register(test, 9, SHUFFLED);
	mn_watch(test, WRONG_CODE, reap);
	for (i = 0; i < 9; i++)
		expect_calls(test, i, i <= 4, i < 4);
}

static void an_error_on_a_blockable_range_is_reported(struct kunit *test)
{
	const int *code = test->param_value;
	struct mn_test *t = test->priv;

	skip_unless_mistakes_are_reported(test);
	t->hlist[4].ret_blockable = *code;
	mn_register(test, 9, SHUFFLED);
	mn_watch(test, BLOCKABLE_ERROR, zap_twice);
	expect_report(test);
}

static void an_error_on_a_blockable_range_does_not_come_out(struct kunit *test)
{
	const int *code = test->param_value;
	struct mn_test *t = test->priv;

	t->hlist[4].ret_blockable = *code;
	mn_register(test, 9, SHUFFLED);
	KUNIT_EXPECT_EQ(test, mn_watch(test, BLOCKABLE_ERROR, zap), 0);
}

static void an_error_on_a_blockable_range_counts_as_started(struct kunit *test)
{
	const int *code = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int i;

	t->hlist[4].ret_blockable = *code;
	mn_register(test, 9, SHUFFLED);
	mn_watch(test, BLOCKABLE_ERROR, zap);
	for (i = 0; i < 9; i++)
		expect_calls(test, i, 1, 1);
}

static void an_interval_error_on_a_blockable_range_is_reported(struct kunit *test)
{
	struct mn_test *t = test->priv;

	skip_unless_mistakes_are_reported(test);
	t->interval[4].refuses_blockable = true;
	mn_insert(test, 0, 9, &mn_interval_ops);
	mn_watch(test, INTERVAL_BLOCKABLE, zap_twice);
	expect_report(test);
}

static void an_interval_error_on_a_blockable_range_is_ignored(struct kunit *test)
{
	struct mn_test *t = test->priv;
	unsigned int i;

	t->interval[4].refuses_blockable = true;
	mn_insert(test, 0, 9, &mn_interval_ops);
	mn_register(test, 3, SHUFFLED);
	KUNIT_EXPECT_EQ(test, mn_watch(test, INTERVAL_BLOCKABLE, zap), 0);
	for (i = 0; i < 9; i++)
		KUNIT_EXPECT_EQ(test, t->interval[i].calls, 1);
	for (i = 0; i < 3; i++)
		expect_calls(test, i, 1, 1);
	expect_idle(test);
}

/* Notifiers that leave while the list is walked */

static void skip_if_a_put_sleeps(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "mmu_notifier_put() takes a lock that sleeps");
}

struct removal {
	unsigned int n;
	unsigned int refuser;
	unsigned int leaver;
};

static void removal_desc(const struct removal *r, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u put, %u of %u refuses",
		 r->leaver, r->refuser, r->n);
}

static const struct removal removals[] = {
	/* alone */
	{ 1, 0, 0 },
	/* ahead of the refuser */
	{ 2, 1, 0 }, { 3, 1, 0 }, { 3, 2, 0 }, { 3, 2, 1 },
	{ 9, 4, 0 }, { 9, 4, 2 }, { 9, 4, 3 }, { 9, 8, 7 },
	{ 65, 32, 16 }, { 65, 64, 0 },
	/* the refuser itself */
	{ 2, 0, 0 }, { 2, 1, 1 }, { 3, 0, 0 }, { 3, 1, 1 }, { 3, 2, 2 },
	{ 9, 4, 4 }, { 65, 0, 0 }, { 65, 32, 32 }, { 65, 64, 64 },
	/* behind it */
	{ 2, 0, 1 }, { 3, 1, 2 }, { 9, 4, 5 }, { 9, 4, 8 }, { 65, 32, 48 },
};

KUNIT_ARRAY_PARAM(removal, removals, removal_desc);

static void one_put_while_it_is_refused_keeps_pairs_of_the_rest(struct kunit *test)
{
	const struct removal *r = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int i;

	skip_if_a_put_sleeps(test);
	t->hlist[r->refuser].ret = -EAGAIN;
	t->hlist[r->refuser].put_in_start = &t->hlist[r->leaver];
	mn_register(test, r->n, SHUFFLED);
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	for (i = 0; i < r->n; i++) {
		if (i != r->leaver)
			expect_calls(test, i, i <= r->refuser, i < r->refuser);
	}
}

static void one_put_while_it_is_refused_gets_no_end(struct kunit *test)
{
	const struct removal *r = test->param_value;
	struct mn_test *t = test->priv;

	skip_if_a_put_sleeps(test);
	t->hlist[r->refuser].ret = -EAGAIN;
	t->hlist[r->refuser].put_in_start = &t->hlist[r->leaver];
	mn_register(test, r->n, SHUFFLED);
	reap(t);
	expect_calls(test, r->leaver, r->leaver <= r->refuser, 0);
}

static void one_that_puts_itself_when_ended_keeps_pairs_of_all(struct kunit *test)
{
	const struct refusal *r = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int i;

	skip_if_a_put_sleeps(test);
	arrange_refusal(test);
	for (i = 0; i < r->refuser; i += 2)
		t->hlist[i].put_in_end = &t->hlist[i];
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	for (i = 0; i < r->n; i++)
		expect_calls(test, i, i <= r->refuser, i < r->refuser);
}

static void one_that_puts_itself_when_started_keeps_pairs_of_the_rest(struct kunit *test)
{
	const struct refusal *r = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int i;

	skip_if_a_put_sleeps(test);
	arrange_refusal(test);
	for (i = 0; i < r->refuser; i += 2)
		t->hlist[i].put_in_start = &t->hlist[i];
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	for (i = 0; i < r->n; i++)
		expect_calls(test, i, i <= r->refuser,
			     i < r->refuser && i % 2);
}

/* Another thread unregisters the leaver while the refuser is in its start */
static const struct removal *arrange_unregister(struct kunit *test)
{
	const struct removal *r = test->param_value;
	struct mn_test *t = test->priv;

	t->unregistered = &t->hlist[r->leaver];
	arrange_other(test, mn_unregister_other, mn_is_off_the_list);
	t->hlist[r->refuser].ret = -EAGAIN;
	mn_register(test, r->n, SHUFFLED);
	t->unregistered->registered = false;
	return r;
}

static void one_unregistered_while_it_is_refused_keeps_pairs_of_the_rest(struct kunit *test)
{
	const struct removal *r = arrange_unregister(test);
	unsigned int i;

	KUNIT_EXPECT_EQ(test, reap(test->priv), -EAGAIN);
	for (i = 0; i < r->n; i++) {
		if (i != r->leaver)
			expect_calls(test, i, i <= r->refuser, i < r->refuser);
	}
	wait_for_other(test);
}

static void one_unregistered_while_it_is_refused_is_not_called_again(struct kunit *test)
{
	const struct removal *r = arrange_unregister(test);

	KUNIT_EXPECT_EQ(test, reap(test->priv), -EAGAIN);
	if (!wait_for_other(test))
		return;
	expect_calls(test, r->leaver, r->leaver <= r->refuser, 0);
	reap(test->priv);
	expect_calls(test, r->leaver, r->leaver <= r->refuser, 0);
}

static void nobody_is_called_after_unregister(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int gone = *n / 2;

	t->hlist[*n].ret = -EAGAIN;
	mn_register(test, *n + 1, SHUFFLED);
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	/* Would wait for ever if the refusal had not left the SRCU read side */
	mn_put(&t->hlist[*n]);
	KUNIT_ASSERT_TRUE(test, wait_for_completion_timeout(&t->freed,
							    MN_TIMEOUT));
	t->puts--;

	t->hlist[gone].registered = false;
	mmu_notifier_unregister(&t->hlist[gone].mn, t->mm);
	KUNIT_EXPECT_EQ(test, reap(t), 0);
	expect_calls(test, gone, 1, 1);
}

/* The interval tree when an hlist notifier refuses */

static void a_refusal_ends_the_interval_tree(struct kunit *test)
{
	struct mn_test *t = test->priv;

	arrange_refusal(test);
	mn_insert(test, 0, 1, &mn_interval_ops);
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	KUNIT_EXPECT_EQ(test, t->interval[0].calls, 1);
	expect_idle(test);
}

static void a_refusal_beside_all_interval_notifiers_ends_the_tree(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int i;

	t->hlist[1].ret = -EAGAIN;
	mn_register(test, 3, SHUFFLED);
	mn_insert(test, 0, *n, &mn_interval_ops);
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	for (i = 0; i < *n; i++)
		KUNIT_EXPECT_EQ(test, t->interval[i].calls, 1);
	expect_idle(test);
}

static void a_refusal_that_no_interval_covers_ends_the_tree(struct kunit *test)
{
	struct mn_test *t = test->priv;

	arrange_refusal(test);
	/* Makes a tree with nothing in it */
	KUNIT_ASSERT_TRUE(test, mn_is_idle(t));
	t->interval_tree = true;
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	expect_idle(test);
}

static void a_refusal_is_one_step_of_the_sequence(struct kunit *test)
{
	struct mn_test *t = test->priv;
	unsigned long seq;

	arrange_refusal(test);
	mn_insert(test, 0, 1, &mn_interval_ops);
	KUNIT_ASSERT_TRUE(test, mn_is_idle(t));
	seq = t->seq;
	reap(t);
	KUNIT_ASSERT_TRUE(test, mn_is_idle(t));
	KUNIT_EXPECT_EQ(test, t->seq, seq + 2);
	KUNIT_EXPECT_EQ(test, t->interval[0].mni.invalidate_seq, seq + 1);
}

static void a_reader_collides_with_a_refusal(struct kunit *test)
{
	struct mn_test *t = test->priv;
	unsigned long seq;

	arrange_refusal(test);
	mn_insert(test, 0, 1, &mn_interval_ops);
	KUNIT_ASSERT_TRUE(test, mn_is_idle(t));
	seq = mmu_interval_read_begin(&t->interval[0].mni);
	reap(t);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_retry(&t->interval[0].mni,
							seq));
}

static void a_reader_after_a_refusal_does_not_wait(struct kunit *test)
{
	struct mn_test *t = test->priv;
	unsigned long seq;

	arrange_refusal(test);
	mn_insert(test, 0, 1, &mn_interval_ops);
	reap(t);
	/* Would wait for ever if it had to */
	KUNIT_ASSERT_TRUE(test, mn_is_idle(t));
	seq = mmu_interval_read_begin(&t->interval[0].mni);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&t->interval[0].mni,
							 seq));
}

/* An interval notifier refuses */

static void an_interval_refusal_returns_eagain(struct kunit *test)
{
	arrange_interval_refusal(test, &mn_interval_ops);
	KUNIT_EXPECT_EQ(test, reap(test->priv), -EAGAIN);
}

static void an_interval_refusal_starts_no_hlist_notifier(struct kunit *test)
{
	unsigned int i;

	arrange_interval_refusal(test, &mn_interval_ops);
	mn_register(test, 3, SHUFFLED);
	KUNIT_EXPECT_EQ(test, reap(test->priv), -EAGAIN);
	for (i = 0; i < 3; i++)
		expect_calls(test, i, 0, 0);
}

static void an_interval_refusal_calls_nobody_behind(struct kunit *test)
{
	const struct refusal *r = arrange_interval_refusal(test, &mn_interval_ops);
	struct mn_test *t = test->priv;
	unsigned int i;

	reap(t);
	for (i = 0; i < r->n; i++)
		KUNIT_EXPECT_EQ_MSG(test, t->interval[i].calls, i <= r->refuser,
				    "calls of interval notifier %u", i);
}

static void an_interval_refusal_ends_the_interval_tree(struct kunit *test)
{
	arrange_interval_refusal(test, &mn_interval_ops);
	mn_register(test, 3, SHUFFLED);
	KUNIT_EXPECT_EQ(test, reap(test->priv), -EAGAIN);
	expect_idle(test);
}

/* Inserts and removes during a refused range, alone or inside another one */

static void refuser_desc(const bool *interval, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s notifier refuses",
		 *interval ? "interval" : "hlist");
}

static const bool refusers[] = { false, true };

KUNIT_ARRAY_PARAM(refuser, refusers, refuser_desc);

/* Three hlist and two interval notifiers, of which either refuses */
static void arrange_nested(struct kunit *test)
{
	const bool *interval = test->param_value;
	struct mn_test *t = test->priv;

	if (*interval)
		t->interval[2].refuses = true;
	else
		t->hlist[1].ret = -EAGAIN;
	mn_register(test, 3, SHUFFLED);
	mn_insert(test, 0, 1, &mn_interval_ops);
	mn_insert(test, 2, 1, &mn_interval_ops);
}

/* Inside a range whose sequence is odd, so it has to wait for the end */
static void insert_late(struct kunit *test, struct mn_interval *late)
{
	struct mn_test *t = test->priv;
	int ret;

	ret = mmu_interval_notifier_insert(&late->mni, t->mm,
					   MN_START + PAGE_SIZE, PAGE_SIZE,
					   &mn_interval_ops);
	late->inserted = !ret;
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_TRUE(test, mn_is_deferred(late));
}

static void an_insert_is_deferred_past_a_nested_refusal(struct kunit *test)
{
	struct mn_test *t = test->priv;
	struct mn_interval *late = &t->interval[1];
	struct mmu_notifier_range outer;

	arrange_nested(test);
	mn_range_init(t, &outer);
	mmu_notifier_invalidate_range_start(&outer);
	insert_late(test, late);

	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, mn_is_deferred(late));
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, mn_is_deferred(late));

	mmu_notifier_invalidate_range_end(&outer);
	KUNIT_EXPECT_FALSE(test, mn_is_deferred(late));
	KUNIT_EXPECT_EQ(test, late->calls, 0);
	KUNIT_ASSERT_TRUE(test, mn_is_idle(t));

	zap(t);
	KUNIT_EXPECT_EQ(test, late->calls, 1);
}

static void an_insert_during_a_refusal_is_carried_out_when_it_ends(struct kunit *test)
{
	struct mn_test *t = test->priv;
	struct mn_interval *late = &t->interval[1];

	t->inserted = late;
	arrange_other(test, mn_insert_other, mn_is_inserted);
	arrange_nested(test);
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	if (!wait_for_other(test))
		return;
	KUNIT_EXPECT_TRUE(test, late->inserted);
	KUNIT_EXPECT_FALSE(test, mn_is_deferred(late));
	KUNIT_EXPECT_EQ(test, late->calls, 0);
	KUNIT_ASSERT_TRUE(test, mn_is_idle(t));

	zap(t);
	KUNIT_EXPECT_EQ(test, late->calls, 1);
}

static void a_remove_during_a_refusal_is_carried_out_when_it_ends(struct kunit *test)
{
	struct mn_test *t = test->priv;
	struct mn_interval *leaver = &t->interval[1];

	t->removed = leaver;
	arrange_other(test, mn_remove_other, mn_remove_is_deferred);
	arrange_nested(test);
	mn_insert(test, 1, 1, &mn_interval_ops);
	leaver->inserted = false;
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	if (!wait_for_other(test))
		return;
	KUNIT_EXPECT_EQ(test, leaver->calls, 1);

	zap(t);
	KUNIT_EXPECT_EQ(test, leaver->calls, 1);
	expect_idle(test);
}

static void a_remove_is_deferred_past_a_nested_refusal(struct kunit *test)
{
	struct mn_test *t = test->priv;
	struct mn_interval *leaver = &t->interval[1];
	struct mmu_notifier_range outer;
	unsigned long timeout;

	arrange_nested(test);
	mn_insert(test, 1, 1, &mn_interval_ops);
	t->removed = leaver;
	INIT_WORK(&t->other, mn_remove_other);

	mn_range_init(t, &outer);
	mmu_notifier_invalidate_range_start(&outer);

	/* Waits for the end of the outer range, so let another thread do it */
	leaver->inserted = false;
	schedule_work(&t->other);
	timeout = jiffies + MN_TIMEOUT;
	while (!mn_remove_is_deferred(t) && time_before(jiffies, timeout))
		msleep(20);

	/* Still in the tree, so it is called */
	KUNIT_EXPECT_EQ(test, leaver->calls, 1);
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	KUNIT_EXPECT_EQ(test, leaver->calls, 2);
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	KUNIT_EXPECT_EQ(test, leaver->calls, 3);
	KUNIT_EXPECT_FALSE(test, completion_done(&t->other_done));

	mmu_notifier_invalidate_range_end(&outer);
	if (!wait_for_other(test))
		return;
	zap(t);
	KUNIT_EXPECT_EQ(test, leaver->calls, 3);
	expect_idle(test);
}

static void the_outer_range_outlives_a_nested_refusal(struct kunit *test)
{
	struct mn_test *t = test->priv;
	struct mmu_notifier_range outer;
	unsigned long seq;

	arrange_nested(test);
	KUNIT_ASSERT_TRUE(test, mn_is_idle(t));
	seq = t->seq;

	mn_range_init(t, &outer);
	mmu_notifier_invalidate_range_start(&outer);
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	/* The sequence did not get even in between: both are one step */
	insert_late(test, &t->interval[1]);
	mmu_notifier_invalidate_range_end(&outer);

	KUNIT_EXPECT_FALSE(test, mn_is_deferred(&t->interval[1]));
	KUNIT_ASSERT_TRUE(test, mn_is_idle(t));
	KUNIT_EXPECT_EQ(test, t->seq, seq + 2);
}

static void an_outer_range_and_a_nested_refusal_pair_up(struct kunit *test)
{
	const bool *interval = test->param_value;
	struct mn_test *t = test->priv;
	struct mmu_notifier_range outer;

	arrange_nested(test);
	mn_range_init(t, &outer);
	mmu_notifier_invalidate_range_start(&outer);
	KUNIT_EXPECT_EQ(test, reap(t), -EAGAIN);
	mmu_notifier_invalidate_range_end(&outer);

	/* The interval tree comes first, then notifier 1 has no say */
	expect_calls(test, 0, *interval ? 1 : 2, *interval ? 1 : 2);
	expect_calls(test, 1, *interval ? 1 : 2, 1);
	expect_calls(test, 2, 1, 1);
}

/* Who may sleep */

static void skip_unless_sleep_is_tracked(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP))
		kunit_skip(test, "needs CONFIG_DEBUG_ATOMIC_SLEEP");
}

/* All callbacks that there were, @n, were called as they should be */
static void expect_context(struct kunit *test, unsigned int n)
{
	struct mn_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, t->callbacks, n);
	KUNIT_EXPECT_EQ(test, t->wrong_context, 0);
}

static void nobody_may_sleep_in_a_refused_range(struct kunit *test)
{
	const struct refusal *r = test->param_value;
	struct mn_test *t = test->priv;

	skip_unless_sleep_is_tracked(test);
	arrange_refusal(test);
	mn_insert(test, 0, 2, &mn_interval_ops);
	reap(t);
	/* Two of the tree, starts up to the refuser's, ends of those before */
	expect_context(test, 2 + r->refuser + 1 + r->refuser);

	t->callbacks = 0;
	t->interval[1].refuses = true;
	reap(t);
	expect_context(test, 2);
}

static void nobody_may_sleep_in_a_granted_non_blocking_range(struct kunit *test)
{
	struct mn_test *t = test->priv;

	skip_unless_sleep_is_tracked(test);
	mn_register(test, 3, SHUFFLED);
	mn_insert(test, 0, 2, &mn_interval_ops);
	reap(t);
	expect_context(test, 2 + 3 + 3);
}

static void all_may_sleep_in_a_blockable_range(struct kunit *test)
{
	struct mn_test *t = test->priv;

	skip_unless_sleep_is_tracked(test);
	mn_register(test, 3, SHUFFLED);
	mn_insert(test, 0, 2, &mn_interval_ops);
	zap(t);
	expect_context(test, 2 + 3 + 3);
}

/* The release of the mm, which is one more blockable range for the tree */

static int release(struct mn_test *t)
{
	__mmu_notifier_release(t->mm);
	return 0;
}

static int release_twice(struct mn_test *t)
{
	release(t);
	return release(t);
}

static void a_release_calls_all_interval_notifiers_once(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	struct mn_test *t = test->priv;
	unsigned int i;

	mn_insert(test, 0, *n, &mn_interval_ops);
	release(t);
	for (i = 0; i < *n; i++)
		KUNIT_EXPECT_EQ(test, t->interval[i].calls, 1);
	expect_idle(test);
}

static void a_refused_release_is_reported(struct kunit *test)
{
	struct mn_test *t = test->priv;

	skip_unless_mistakes_are_reported(test);
	t->interval[4].refuses_blockable = true;
	mn_insert(test, 0, 9, &mn_interval_ops);
	mn_watch(test, INTERVAL_RELEASE, release_twice);
	expect_report(test);
}

static void a_refused_release_is_ignored(struct kunit *test)
{
	struct mn_test *t = test->priv;
	unsigned int i;

	t->interval[4].refuses_blockable = true;
	mn_insert(test, 0, 9, &mn_interval_ops);
	mn_watch(test, INTERVAL_RELEASE, release);
	for (i = 0; i < 9; i++)
		KUNIT_EXPECT_EQ(test, t->interval[i].calls, 1);
	expect_idle(test);
}

#ifdef BASE_TWO_PASS
/* Interval notifiers of two passes */

static void expect_finishes(struct kunit *test, unsigned int i,
			    unsigned int calls, unsigned int finishes)
{
	struct mn_test *t = test->priv;

	KUNIT_EXPECT_EQ_MSG(test, t->interval[i].calls, calls,
			    "starts of interval notifier %u", i);
	KUNIT_EXPECT_EQ_MSG(test, t->interval[i].finishes, finishes,
			    "finishes of interval notifier %u", i);
}

static void all_finish_when_the_hlist_refuses(struct kunit *test)
{
	unsigned int i;

	arrange_refusal(test);
	mn_insert(test, 0, 3, &mn_two_pass_ops);
	KUNIT_EXPECT_EQ(test, reap(test->priv), -EAGAIN);
	for (i = 0; i < 3; i++)
		expect_finishes(test, i, 1, 1);
	expect_idle(test);
}

static void who_was_started_finishes_when_an_interval_refuses(struct kunit *test)
{
	const struct refusal *r = arrange_interval_refusal(test, &mn_two_pass_ops);
	unsigned int i;

	mn_register(test, 3, SHUFFLED);
	KUNIT_EXPECT_EQ(test, reap(test->priv), -EAGAIN);
	for (i = 0; i < r->n; i++)
		expect_finishes(test, i, i <= r->refuser, i < r->refuser);
	for (i = 0; i < 3; i++)
		expect_calls(test, i, 0, 0);
	expect_idle(test);
}

static void all_finish_once_when_nobody_refuses(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	unsigned int i;

	mn_insert(test, 0, *n, &mn_two_pass_ops);
	KUNIT_EXPECT_EQ(test, reap(test->priv), 0);
	for (i = 0; i < *n; i++)
		expect_finishes(test, i, 1, 1);
	expect_idle(test);
}

static void all_finish_once_in_a_blockable_range(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	unsigned int i;

	mn_insert(test, 0, *n, &mn_two_pass_ops);
	KUNIT_EXPECT_EQ(test, zap(test->priv), 0);
	for (i = 0; i < *n; i++)
		expect_finishes(test, i, 1, 1);
	expect_idle(test);
}

static void all_finish_once_when_the_mm_is_released(struct kunit *test)
{
	const unsigned int *n = test->param_value;
	unsigned int i;

	mn_insert(test, 0, *n, &mn_two_pass_ops);
	release(test->priv);
	for (i = 0; i < *n; i++)
		expect_finishes(test, i, 1, 1);
	expect_idle(test);
}

static void a_first_pass_that_fails_on_a_blockable_range_is_reported(struct kunit *test)
{
	struct mn_test *t = test->priv;

	skip_unless_mistakes_are_reported(test);
	t->interval[4].refuses_blockable = true;
	mn_insert(test, 0, 9, &mn_two_pass_ops);
	mn_watch(test, INTERVAL_BLOCKABLE, zap_twice);
	expect_report(test);
}

/* The rest of them get theirs, it does not */
static void a_first_pass_that_fails_on_a_blockable_range_is_not_finished(struct kunit *test)
{
	struct mn_test *t = test->priv;
	unsigned int i;

	t->interval[4].refuses_blockable = true;
	mn_insert(test, 0, 9, &mn_two_pass_ops);
	mn_register(test, 3, SHUFFLED);
	KUNIT_EXPECT_EQ(test, mn_watch(test, INTERVAL_BLOCKABLE, zap), 0);
	for (i = 0; i < 9; i++)
		expect_finishes(test, i, 1, i != 4);
	for (i = 0; i < 3; i++)
		expect_calls(test, i, 1, 1);
	expect_idle(test);
}

static void a_first_pass_that_refuses_the_release_is_not_finished(struct kunit *test)
{
	struct mn_test *t = test->priv;
	unsigned int i;

	t->interval[4].refuses_blockable = true;
	mn_insert(test, 0, 9, &mn_two_pass_ops);
	mn_watch(test, INTERVAL_RELEASE, release);
	for (i = 0; i < 9; i++)
		expect_finishes(test, i, 1, i != 4);
	expect_idle(test);
}

static void nobody_may_sleep_in_the_finish_of_a_refused_range(struct kunit *test)
{
	const struct refusal *r = test->param_value;
	struct mn_test *t = test->priv;

	skip_unless_sleep_is_tracked(test);
	arrange_refusal(test);
	mn_insert(test, 0, 2, &mn_two_pass_ops);
	reap(t);
	/* Two passes of the tree, starts up to the refuser's, ends before it */
	expect_context(test, 2 * 2 + r->refuser + 1 + r->refuser);

	t->callbacks = 0;
	t->interval[1].refuses = true;
	reap(t);
	expect_context(test, 2 + 1);
}

static void all_may_sleep_in_the_finish_of_a_blockable_range(struct kunit *test)
{
	struct mn_test *t = test->priv;

	skip_unless_sleep_is_tracked(test);
	mn_insert(test, 0, 2, &mn_two_pass_ops);
	zap(t);
	expect_context(test, 2 * 2);
}
#endif

static struct kunit_case mmu_notifier_test_cases[] = {
	KUNIT_CASE(an_mm_without_notifiers_refuses_nothing),
	KUNIT_CASE_PARAM(a_granted_range_starts_and_ends_all_once,
			 count_gen_params),
	KUNIT_CASE_PARAM(a_blockable_range_starts_and_ends_all_once,
			 count_gen_params),
	KUNIT_CASE_PARAM(the_list_is_walked_in_ascending_address_order,
			 order_gen_params),
	KUNIT_CASE_PARAM(a_refusal_returns_eagain, refusal_gen_params),
	KUNIT_CASE_PARAM(a_refusal_ends_once_who_was_started_before,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(a_refusal_starts_and_ends_nobody_behind,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(a_refuser_with_an_end_gets_none, refusal_gen_params),
	KUNIT_CASE_PARAM(a_refusal_with_eagain_is_not_reported,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(a_notifier_without_an_end_can_refuse,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(an_end_only_notifier_gets_no_end_of_a_refusal,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(an_end_only_notifier_gets_the_end_of_a_granted_range,
			 count_gen_params),
	KUNIT_CASE_PARAM(a_refusal_leaves_no_trace_on_the_next_range,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(passes_of_refusals_add_up_to_pairs,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(a_wrong_code_is_reported, wrong_code_gen_params),
	KUNIT_CASE_PARAM(a_wrong_code_comes_out_as_eagain,
			 wrong_code_gen_params),
	KUNIT_CASE_PARAM(a_wrong_code_is_a_refusal, wrong_code_gen_params),
	KUNIT_CASE_PARAM(an_error_on_a_blockable_range_is_reported,
			 blockable_code_gen_params),
	KUNIT_CASE_PARAM(an_error_on_a_blockable_range_does_not_come_out,
			 blockable_code_gen_params),
	KUNIT_CASE_PARAM(an_error_on_a_blockable_range_counts_as_started,
			 blockable_code_gen_params),
	KUNIT_CASE(an_interval_error_on_a_blockable_range_is_reported),
	KUNIT_CASE(an_interval_error_on_a_blockable_range_is_ignored),
	KUNIT_CASE_PARAM(one_put_while_it_is_refused_keeps_pairs_of_the_rest,
			 removal_gen_params),
	KUNIT_CASE_PARAM(one_put_while_it_is_refused_gets_no_end,
			 removal_gen_params),
	KUNIT_CASE_PARAM(one_that_puts_itself_when_ended_keeps_pairs_of_all,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(one_that_puts_itself_when_started_keeps_pairs_of_the_rest,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(one_unregistered_while_it_is_refused_keeps_pairs_of_the_rest,
			 removal_gen_params),
	KUNIT_CASE_PARAM(one_unregistered_while_it_is_refused_is_not_called_again,
			 removal_gen_params),
	KUNIT_CASE_PARAM(nobody_is_called_after_unregister, count_gen_params),
	KUNIT_CASE_PARAM(a_refusal_ends_the_interval_tree, refusal_gen_params),
	KUNIT_CASE_PARAM(a_refusal_beside_all_interval_notifiers_ends_the_tree,
			 count_gen_params),
	KUNIT_CASE_PARAM(a_refusal_that_no_interval_covers_ends_the_tree,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(a_refusal_is_one_step_of_the_sequence,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(a_reader_collides_with_a_refusal, refusal_gen_params),
	KUNIT_CASE_PARAM(a_reader_after_a_refusal_does_not_wait,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(an_interval_refusal_returns_eagain,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(an_interval_refusal_starts_no_hlist_notifier,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(an_interval_refusal_calls_nobody_behind,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(an_interval_refusal_ends_the_interval_tree,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(an_insert_during_a_refusal_is_carried_out_when_it_ends,
			 refuser_gen_params),
	KUNIT_CASE_PARAM(a_remove_during_a_refusal_is_carried_out_when_it_ends,
			 refuser_gen_params),
	KUNIT_CASE_PARAM(an_insert_is_deferred_past_a_nested_refusal,
			 refuser_gen_params),
	KUNIT_CASE_PARAM(a_remove_is_deferred_past_a_nested_refusal,
			 refuser_gen_params),
	KUNIT_CASE_PARAM(the_outer_range_outlives_a_nested_refusal,
			 refuser_gen_params),
	KUNIT_CASE_PARAM(an_outer_range_and_a_nested_refusal_pair_up,
			 refuser_gen_params),
	KUNIT_CASE_PARAM(nobody_may_sleep_in_a_refused_range,
			 refusal_gen_params),
	KUNIT_CASE(nobody_may_sleep_in_a_granted_non_blocking_range),
	KUNIT_CASE(all_may_sleep_in_a_blockable_range),
	KUNIT_CASE_PARAM(a_release_calls_all_interval_notifiers_once,
			 count_gen_params),
	KUNIT_CASE(a_refused_release_is_reported),
	KUNIT_CASE(a_refused_release_is_ignored),
#ifdef BASE_TWO_PASS
	KUNIT_CASE_PARAM(all_finish_when_the_hlist_refuses, refusal_gen_params),
	KUNIT_CASE_PARAM(who_was_started_finishes_when_an_interval_refuses,
			 refusal_gen_params),
	KUNIT_CASE_PARAM(all_finish_once_when_nobody_refuses, count_gen_params),
	KUNIT_CASE_PARAM(all_finish_once_in_a_blockable_range, count_gen_params),
	KUNIT_CASE_PARAM(all_finish_once_when_the_mm_is_released,
			 count_gen_params),
	KUNIT_CASE(a_first_pass_that_fails_on_a_blockable_range_is_reported),
	KUNIT_CASE(a_first_pass_that_fails_on_a_blockable_range_is_not_finished),
	KUNIT_CASE(a_first_pass_that_refuses_the_release_is_not_finished),
	KUNIT_CASE_PARAM(nobody_may_sleep_in_the_finish_of_a_refused_range,
			 refusal_gen_params),
	KUNIT_CASE(all_may_sleep_in_the_finish_of_a_blockable_range),
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
