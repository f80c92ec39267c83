// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cases: they drive /dev/mn_kit over the kernel's own paths.  The clauses C1 to
 * C6 are those of docs/contract.md.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "outcome.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Nothing waits longer for what never comes on an affected kernel */
#define HANG_MS		6000
/* What the kernel does in its own time, the OOM reaper for one: no haste */
#define PATIENCE_MS	60000
/* An interval notifier from 0 of this length covers any process, on any architecture */
#define WHOLE_MM	(1ull << 62)

enum { FIRST, MIDDLE, LAST };

static bool stuck;		/* some session will never be torn down */

/*
 * The kernel's log since the case began
 */
static struct {
	int fd;
	unsigned int named;	/* lines that begin with a callback of the kit */
	bool lost;		/* it ran over or cannot be read: the count is too low */
} klog;

static bool is_named(const char *line)
{
	/* By name, or, without KALLSYMS, by address and by what today's kernels say */
	return (!strncmp(line, "mn_kit_", 7) && strstr(line, "[mn_kit] ")) ||
	       strstr(line, " callback failed with ");
}

/* Read what has come; true if a line has both texts. */
static bool klog_seen(const char *text, const char *more)
{
	char line[1024];
	bool seen = false;
	int ret;

	while ((ret = klog_next(klog.fd, line, sizeof(line)))) {
		if (ret < 0) {
			klog.lost = true;
			if (ret != -EPIPE)
				break;
			continue;
		}
		klog.named += is_named(line);
		seen |= text && strstr(line, text) && strstr(line, more);
	}
	return seen;
}

static bool klog_wait(const char *text, const char *more)
{
	struct pollfd pfd = { .fd = klog.fd, .events = POLLIN };
	unsigned int turns = PATIENCE_MS / 100;

	while (!klog_seen(text, more)) {
		if (!--turns)
			return false;
		poll(&pfd, 1, 100);
	}
	return true;
}

static unsigned int klog_named(void)
{
	klog_seen(NULL, NULL);
	need(!klog.lost, "lines of the log were lost, boot with a larger log_buf_len");
	return klog.named;
}

/*
 * What the kernel reports only once: from now on it may report it again.  Where that
 * cannot be had, has this case run before, since the kernel booted?
 */
static bool reported_before(const struct kit_case *self)
{
	int fd = open("/sys/kernel/debug/clear_warn_once", O_WRONLY | O_CLOEXEC);
	bool again = fd >= 0 && write(fd, "1", 1) == 1;
	unsigned int times = 0;
	char line[1024];
	int ret;

	if (fd >= 0)
		close(fd);
	if (again)
		return false;
	fd = klog_open();
	lseek(fd, 0, SEEK_SET);
	while ((ret = klog_next(fd, line, sizeof(line))) > 0 || ret == -EPIPE)
		if (ret > 0 && strstr(line, "mn_kit: case ") && strstr(line, self->name))
			times++;
	close(fd);
	/* Once is this time */
	if (times > 1)
		skip("the kernel reports this once, and has already; reboot, or mount debugfs");
	return times > 1;
}

/*
 * Steps.  A case that cannot take one is skipped, and its reason names the remedy.
 */

/* vm.panic_on_oom=2 panics for a memory cgroup, too. */
static bool oom_is_safe(void)
{
	int fd = open("/proc/sys/vm/panic_on_oom", O_RDONLY | O_CLOEXEC);
	char c = '2';

	if (fd >= 0) {
		if (read(fd, &c, 1) != 1)
			c = '2';
		close(fd);
	}
	return c != '2';
}

static const char *remedy(const struct victim *v, int error)
{
	if (error == EPERM && !strcmp(v->step, "ptrace"))
		return "; set kernel.yama.ptrace_scope below 3, allow CAP_SYS_PTRACE";
	if (error == ENOMEM || error == EAGAIN || error == EMFILE)
		return "; raise ulimit -v, -u, -n or the memory of this machine";
	if (error == EPERM || error == EACCES || error == ENOSYS)
		return "; run it outside of a container";
	return "";
}

static bool start(struct victim *v, const struct victim_opts *opts)
{
	int ret;

	if (opts->oom && !oom_is_safe()) {
		skip("vm.panic_on_oom is 2, or cannot be read; set it to 0");
		return false;
	}
	ret = victim_start(v, opts);
	if (ret == -ENODEV && opts->oom)
		skip("no memory cgroup to be had; needs cgroup2 at /sys/fs/cgroup, on the host");
	else if (ret == -EOPNOTSUPP)
		skip("unknown layout of struct mmu_notifier_subscriptions");
	else
		need(!ret, "cannot start a victim: %s: %s%s", v->step, strerror(-ret),
		     remedy(v, -ret));
	return !ret;
}

/* A call of the kit that a case cannot do without */
static void need_call(int fd, unsigned long cmd, const void *arg, const char *what)
{
	int ret = kit_call(fd, cmd, arg);

	need(!ret, "cannot %s: %s%s", what, strerror(-ret),
	     ret == -ENOMEM ? "; give this machine more memory" : "");
}

static void add(struct victim *v, unsigned int slot, unsigned int kind,
		unsigned int flags)
{
	struct mn_kit_add args = { .slot = slot, .kind = kind, .flags = flags };

	if (kind >= MN_KIT_INTERVAL)
		args.length = WHOLE_MM;
	need_call(v->kit, MN_KIT_ADD, &args, "add a notifier");
}

static void play(struct victim *v, const struct mn_kit_script *script)
{
	cpu_set_t cpus;
	int ret = 0;

	/* A held callback spins, so this program needs another CPU */
	if (script->hold && !sched_getaffinity(0, sizeof(cpus), &cpus) &&
	    CPU_COUNT(&cpus) < 2)
		ret = -EOPNOTSUPP;
	ret = ret ? ret : kit_call(v->kit, MN_KIT_SCRIPT, script);
	if (ret == -EOPNOTSUPP)
		skip("needs a second CPU; run it without taskset or cpuset");
	need(!ret, "cannot play the script: %s", strerror(-ret));
}

static void refuse(struct victim *v, unsigned int slot, unsigned int times)
{
	struct mn_kit_script script = {
		.slot = slot, .nonblock_ret = -EAGAIN, .nonblock_times = times,
	};

	play(v, &script);
}

static struct mn_kit_counters counters(struct victim *v, unsigned int slot)
{
	struct mn_kit_counters c = { .slot = slot };

	need_call(v->kit, MN_KIT_COUNTERS, &c, "read the counters");
	return c;
}

static struct mn_kit_state state(struct victim *v)
{
	struct mn_kit_state s = { 0 };

	need_call(v->kit, MN_KIT_STATE, &s, "read the state");
	return s;
}

static bool wait_for(struct victim *v, unsigned int slot, enum mn_kit_what what,
		     unsigned int ms)
{
	struct mn_kit_wait args = { .slot = slot, .what = what, .timeout_ms = ms };

	return !kit_call(v->kit, MN_KIT_WAIT, &args);
}

static void remove_slot(struct victim *v, unsigned int slot)
{
	need_call(v->kit, MN_KIT_REMOVE, &slot, "remove a notifier");
}

static void action(struct victim *v, enum victim_action what)
{
	int ret = victim_do(v, what);

	need(!ret, "the victim cannot do '%c': %s%s", what, strerror(-ret), remedy(v, -ret));
}

/* Has the victim stopped in its exit?  Takes what victim_kill() and the like return. */
static bool held(struct victim *v, int ret)
{
	return need(!ret, "cannot hold the victim in its exit: %s%s", strerror(-ret),
		    remedy(v, -ret));
}

static void kill_and_reap(struct victim *v, int want)
{
	int ret;

	if (result != PASSED || !held(v, victim_kill(v)))
		return;
	ret = victim_reap(v);
	if (need(!ret || ret == -EAGAIN, "process_mrelease(): %s%s", strerror(-ret),
		 remedy(v, -ret)))
		expect(ret == want, "process_mrelease() returned %d, not %d", ret, want);
}

/* Have a helper reap the victim, and wait until the slot's callback holds. */
static pid_t reap_until_held(struct victim *v, unsigned int slot)
{
	pid_t helper;

	if (!held(v, victim_kill(v)))
		return -1;
	helper = victim_reap_async(v);
	need(helper >= 0, "cannot fork: %s%s", strerror(errno), remedy(v, errno));
	need(helper < 0 || wait_for(v, slot, MN_KIT_HOLDING, PATIENCE_MS),
	     "no callback within 60 s; let this machine rest");
	return helper;
}

/* An OOM kill of the victim; wait for the line that the reaper logs in the end. */
static void oom_kill(struct victim *v, const char *line)
{
	char who[32];

	action(v, VICTIM_HOG);
	if (result != PASSED || !held(v, victim_stopped(v)))
		return;
	/* By name: in a PID namespace the log has other numbers */
	snprintf(who, sizeof(who), "(%s)", v->name);
	if (!klog_wait(line, who))
		need(false, "%s", klog.lost ?
		     "lines of the log were lost, boot with a larger log_buf_len" :
		     "the OOM reaper did not come within 60 s; let this machine rest");
}

static void never(struct victim *v, const char *what)
{
	expect(false, "%s", what);
	/* A case that was not set up has not begun what it waits for */
	v->stuck |= result == FAILED;
	stuck |= result == FAILED;
}

/* C1 for one subscription: as many ends as accepted starts, none without one. */
static void expect_pairs(struct victim *v, unsigned int slot)
{
	struct mn_kit_counters c = counters(v, slot);

	expect(!c.stray, "slot %u: %llu ends without a start", slot, c.stray);
	expect(!c.open, "slot %u: %lld starts never ended", slot, c.open);
	expect(!c.late, "slot %u: %llu callbacks after removal", slot, c.late);
	need(!c.hold_timeouts, "slot %u: what it held for never came; let this machine rest", slot);
}

/* The slots in the order in which the kernel calls them, found by asking it. */
static void find_order(struct victim *v, unsigned int *order, unsigned int n)
{
	unsigned long long ticket[MN_KIT_SLOTS];
	unsigned int i, j;

	action(v, VICTIM_DISCARD);
	for (i = 0; i < n; i++) {
		ticket[i] = counters(v, i).order;
		expect(ticket[i], "slot %u was not started by madvise()", i);
		for (j = i; j && ticket[order[j - 1]] > ticket[i]; j--)
			order[j] = order[j - 1];
		order[j] = i;
	}
}

/*
 * Register n hlist notifiers, neither in ascending nor in descending order, all
 * with an end but slot `endless`.
 */
static void add_shuffled(struct victim *v, unsigned int n, unsigned int endless)
{
	unsigned int i, slot;

	for (i = 0; i < n; i++) {
		slot = (i * 61 + 1) % n;
		add(v, slot, MN_KIT_HLIST, slot == endless ? MN_KIT_NO_END : 0);
	}
}

#define NOBODY	MN_KIT_SLOTS

/*
 * Cases
 */

/* Nobody refuses: everyone is started and ended. */
static void case_all_accept(const struct kit_case *self, struct victim *v)
{
	unsigned int i;

	add_shuffled(v, self->others, NOBODY);
	kill_and_reap(v, 0);
	for (i = 0; i < self->others; i++) {
		expect(counters(v, i).nonblock, "slot %u was not started", i);
		expect_pairs(v, i);
	}
}

/* Who is at a place depends on the kernel only: ask it in a trial run. */
static unsigned int slot_at(unsigned int n, unsigned int place)
{
	const struct victim_opts opts = { 0 };
	unsigned int order[MN_KIT_SLOTS] = { 0 };
	struct victim v;

	if (!start(&v, &opts))
		return 0;
	add_shuffled(&v, n, NOBODY);
	find_order(&v, order, n);
	victim_end(&v);
	return order[place];
}

static unsigned int place_of(int position, unsigned int n)
{
	return position == FIRST ? 0 : position == LAST ? n - 1 : n / 2;
}

/* After a refusal: who is before the refuser was started, who is behind not. */
static void expect_stopped_at(struct victim *v, const unsigned int *order,
			      unsigned int n, unsigned int at)
{
	struct mn_kit_counters r = counters(v, order[at]);
	unsigned int i;

	expect(r.refused && r.refused == r.nonblock, "refused %llu of %llu ranges",
	       r.refused, r.nonblock);
	for (i = 0; i < n; i++) {
		struct mn_kit_counters c = counters(v, order[i]);

		if (i < at)
			expect(c.nonblock == r.refused,
			       "place %u, before the refuser, started %llu times, not %llu",
			       i, c.nonblock, r.refused);
		if (i > at)
			expect(!c.nonblock,
			       "place %u, behind the refuser, started %llu times",
			       i, c.nonblock);
	}
}

/* One refuser among others: C1, and C6's "stop at the first refuser". */
static void refuser_among(const struct kit_case *self, struct victim *v, bool has_end)
{
	unsigned int n = self->others + 1, at = place_of(self->position, n), i;
	unsigned int order[MN_KIT_SLOTS] = { 0 }, refuser = slot_at(n, at);

	add_shuffled(v, n, has_end ? NOBODY : refuser);
	find_order(v, order, n);
	need(order[at] == refuser, "the kernel's order is not reproducible; run it again");
	refuse(v, refuser, MN_KIT_ALWAYS);
	kill_and_reap(v, -EAGAIN);

	expect_stopped_at(v, order, n, at);
	for (i = 0; i < n; i++)
		if (has_end || i != refuser)
			expect_pairs(v, i);
}

static void case_refuser(const struct kit_case *self, struct victim *v)
{
	refuser_among(self, v, false);
}

static void case_refuser_with_end(const struct kit_case *self, struct victim *v)
{
	refuser_among(self, v, true);
}

/* Of several refusers only the first is asked. */
static void case_several_refusers(const struct kit_case *self, struct victim *v)
{
	unsigned int n = self->others + 1, i, order[MN_KIT_SLOTS] = { 0 };

	/* Notifiers without an end: more than one refuser, and no warning */
	for (i = 0; i < n; i++)
		add(v, (i * 61 + 1) % n, MN_KIT_HLIST, MN_KIT_NO_END);
	find_order(v, order, n);
	for (i = 2; i < n; i += 3)
		refuse(v, order[i], MN_KIT_ALWAYS);
	kill_and_reap(v, -EAGAIN);
	expect_stopped_at(v, order, n, 2);
}

/* A notifier without a start was not started, so a refusal owes it no end. */
static void case_end_only(const struct kit_case *self, struct victim *v)
{
	struct mn_kit_counters c;

	/* Ascending and descending order both have one of slots 0 and 2 first */
	add(v, 0, MN_KIT_HLIST, MN_KIT_NO_START);
	add(v, 1, MN_KIT_HLIST, MN_KIT_NO_END);
	add(v, 2, MN_KIT_HLIST, MN_KIT_NO_START);
	refuse(v, 1, MN_KIT_ALWAYS);
	kill_and_reap(v, -EAGAIN);
	c = counters(v, 1);
	expect(c.refused && c.refused == c.nonblock, "nothing was refused");
	c = counters(v, 0);
	expect(!c.ends, "slot 0: %llu ends for refused ranges", c.ends);
	c = counters(v, 2);
	expect(!c.ends, "slot 2: %llu ends for refused ranges", c.ends);
}

/* After a refusal the next attempt succeeds and everyone is balanced. */
static void case_refused_then_reaped(const struct kit_case *self, struct victim *v)
{
	unsigned int i;

	add_shuffled(v, 5, 2);
	refuse(v, 2, 3);
	kill_and_reap(v, -EAGAIN);
	expect(counters(v, 2).refused == 3, "refused %llu times, not 3",
	       counters(v, 2).refused);
	i = -victim_reap(v);
	expect(!i, "the second process_mrelease() returned -%u", i);
	for (i = 0; i < 5; i++) {
		if (i == 2)
			continue;
		expect(counters(v, i).accepted, "slot %u was not started", i);
		expect_pairs(v, i);
	}
}

/* An interval notifier that refuses keeps the hlist from being asked at all. */
static void case_interval_refuses(const struct kit_case *self, struct victim *v)
{
	struct mn_kit_counters c;

	add(v, 0, MN_KIT_HLIST, 0);
	add(v, 1, self->kind, 0);
	refuse(v, 1, MN_KIT_ALWAYS);
	kill_and_reap(v, -EAGAIN);
	c = counters(v, 1);
	expect(c.refused && c.refused == c.nonblock, "refused %llu of %llu ranges",
	       c.refused, c.nonblock);
	expect(!counters(v, 0).nonblock, "an hlist notifier was started all the same");
	remove_slot(v, 1);
	if (!wait_for(v, 1, MN_KIT_REMOVED, HANG_MS))
		never(v, "mmu_interval_notifier_remove() never returns");
}

/* C2, looked at from inside: no range stays counted.  The tree is empty. */
static void case_nothing_outstanding(const struct kit_case *self, struct victim *v)
{
	struct mn_kit_state before, after;

	add(v, 0, MN_KIT_HLIST, MN_KIT_NO_END);
	before = state(v);
	refuse(v, 0, MN_KIT_ALWAYS);
	kill_and_reap(v, -EAGAIN);
	after = state(v);
	need(!before.active_ranges, "not a quiet mm to begin with; run it again");
	expect(!after.active_ranges,
	       "%llu refused ranges are still open for the interval tree",
	       after.active_ranges);
	expect(after.sequence == before.sequence && !after.deferred,
	       "the sequence or the deferred list changed");
}

/* An interval notifier and an hlist notifier that refuses, on one mm */
static void add_mixed(struct victim *v)
{
	add(v, 0, MN_KIT_INTERVAL, 0);
	add(v, 1, MN_KIT_HLIST, MN_KIT_NO_END);
	refuse(v, 1, MN_KIT_ALWAYS);
}

static void case_read_begin_returns(const struct kit_case *self, struct victim *v)
{
	unsigned int slot = 0;

	add_mixed(v);
	kill_and_reap(v, -EAGAIN);
	expect(counters(v, 0).accepted, "the interval notifier was not called");
	need_call(v->kit, MN_KIT_READ, &slot, "begin to read");
	if (!wait_for(v, 0, MN_KIT_READ_DONE, HANG_MS))
		never(v, "mmu_interval_read_begin() never returns");
}

static void case_remove_returns(const struct kit_case *self, struct victim *v)
{
	add_mixed(v);
	kill_and_reap(v, -EAGAIN);
	expect(counters(v, 0).accepted, "the interval notifier was not called");
	remove_slot(v, 0);
	if (!wait_for(v, 0, MN_KIT_REMOVED, HANG_MS))
		never(v, "mmu_interval_notifier_remove() never returns");
	expect_pairs(v, 0);
}

/* The victim holds the last reference to the file, as a driver's client does. */
static void victim_exits(struct victim *v)
{
	close(v->kit);
	v->kit = -1;
	victim_let_go(v);
	if (!victim_gone(v, HANG_MS))
		never(v, "the victim never exits");
}

static void case_victim_exits(const struct kit_case *self, struct victim *v)
{
	add_mixed(v);
	kill_and_reap(v, -EAGAIN);
	expect(counters(v, 0).accepted && counters(v, 1).refused,
	       "both notifiers have to be called");
	victim_exits(v);
}

/*
 * While a range is open, interval notifiers that come and go are put on the
 * deferred list.  A refusal closes the range and has to work off the list.
 */
static void case_deferred(const struct kit_case *self, struct victim *v)
{
	struct mn_kit_script hold = {
		.slot = 1, .nonblock_ret = -EAGAIN, .nonblock_times = MN_KIT_ALWAYS,
		.hold = MN_KIT_HOLD_GATE,
	};
	unsigned int slot = 3, tries = HANG_MS / 10;
	struct mn_kit_state s;
	pid_t helper;
	int ret;

	add_mixed(v);
	add(v, 2, MN_KIT_INTERVAL, 0);
	play(v, &hold);
	if (result != PASSED)
		return;
	helper = reap_until_held(v, 1);
	add(v, 3, MN_KIT_INTERVAL, 0);
	remove_slot(v, 2);
	while (s = state(v), s.deferred < 2 && --tries)
		wait_for(v, 2, MN_KIT_REMOVED, 10);
	need(s.deferred == 2, "%u on the deferred list, not 2; let this machine rest", s.deferred);
	need_call(v->kit, MN_KIT_OPEN_GATE, NULL, "open the gate");
	ret = helper_wait(helper);
	expect(ret == -EAGAIN, "process_mrelease() returned %d", ret);

	if (!wait_for(v, 2, MN_KIT_REMOVED, HANG_MS))
		never(v, "a removal deferred during the refusal never returns");
	s = state(v);
	expect(!s.deferred && !s.active_ranges && !(s.sequence & 1),
	       "%u deferred, %llu ranges open, sequence %llu", s.deferred,
	       s.active_ranges, s.sequence);
	if (!stuck) {
		kit_call(v->kit, MN_KIT_READ, &slot);
		if (!wait_for(v, 3, MN_KIT_READ_DONE, HANG_MS))
			never(v, "an insert deferred during the refusal is never seen");
		remove_slot(v, 3);
		if (!wait_for(v, 3, MN_KIT_REMOVED, HANG_MS))
			never(v, "an insert deferred during the refusal cannot be removed");
	}
}

/* A two-pass notifier that started gets its second pass when another refuses. */
static void case_two_pass(const struct kit_case *self, struct victim *v)
{
	struct mn_kit_counters c;

	if (!(info.features & MN_KIT_HAS_TWO_PASS)) {
		skip("this kernel has no two-pass interval notifiers");
		return;
	}
	add_mixed(v);
	add(v, 2, MN_KIT_INTERVAL_TWO_PASS, 0);
	add(v, 3, MN_KIT_INTERVAL, 0);
	refuse(v, 3, MN_KIT_ALWAYS);
	kill_and_reap(v, -EAGAIN);
	c = counters(v, 2);
	expect(c.accepted, "the two-pass notifier was not called");
	expect(c.finishes == c.accepted, "%llu starts, %llu finishes", c.accepted,
	       c.finishes);
	expect_pairs(v, 2);
}

/* C3: an error on a blockable range is reported once and changes nothing. */
static void case_blockable_error(const struct kit_case *self, struct victim *v)
{
	struct mn_kit_script wrong = { .slot = 1, .blockable_ret = -EINTR };
	struct mn_kit_counters c;
	unsigned int i;

	if (reported_before(self))
		return;
	for (i = 0; i < 3; i++)
		add(v, i, MN_KIT_HLIST, 0);
	play(v, &wrong);
	action(v, VICTIM_DISCARD);
	action(v, VICTIM_DISCARD);
	for (i = 0; i < 3; i++) {
		c = counters(v, i);
		expect(c.blockable == 2 && c.ends == 2,
		       "slot %u: %llu starts, %llu ends, not 2 and 2", i,
		       c.blockable, c.ends);
		expect_pairs(v, i);
	}
	i = klog_named();
	expect(i == 1, "the callback is named in %u lines of the log, not 1", i);
}

/* C3 for an interval notifier */
static void case_interval_blockable_error(const struct kit_case *self, struct victim *v)
{
	struct mn_kit_script wrong = { .slot = 0, .blockable_ret = -EAGAIN };
	unsigned int lines;

	if (reported_before(self))
		return;
	add(v, 0, MN_KIT_INTERVAL, 0);
	play(v, &wrong);
	action(v, VICTIM_DISCARD);
	action(v, VICTIM_DISCARD);
	expect(counters(v, 0).refused == 2, "the callback was not called twice");
	wrong.blockable_ret = 0;
	play(v, &wrong);
	lines = klog_named();
	expect(lines == 1, "the callback is named in %u lines of the log, not 1", lines);
	remove_slot(v, 0);
	if (!wait_for(v, 0, MN_KIT_REMOVED, HANG_MS))
		never(v, "mmu_interval_notifier_remove() never returns");
}

/* C3 for the release of the mm, and the name of a callback of two passes */
static void case_refused_release(const struct kit_case *self, struct victim *v)
{
	bool two = info.features & MN_KIT_HAS_TWO_PASS;
	struct mn_kit_script wrong = { .slot = 0, .blockable_ret = -EAGAIN };

	if (reported_before(self))
		return;
	add(v, 0, two ? MN_KIT_INTERVAL_TWO_PASS : MN_KIT_INTERVAL, 0);
	play(v, &wrong);
	if (result != PASSED)
		return;
	if (!held(v, victim_kill(v)))
		return;
	victim_let_go(v);
	expect(victim_gone(v, PATIENCE_MS), "the victim does not exit");
	expect(klog_seen(two ? "mn_kit_interval_start+" : "mn_kit_interval+",
			 " refused the release of the mm"),
	       "the callback is not named in the log");
}

/* C4: any error on a non-blocking range refuses it, a wrong one is reported once. */
static void case_wrong_refusal(const struct kit_case *self, struct victim *v)
{
	struct mn_kit_script wrong = {
		.slot = 0, .nonblock_ret = -ENOMEM, .nonblock_times = MN_KIT_ALWAYS,
	};
	unsigned int lines;

	if (reported_before(self))
		return;
	add(v, 0, MN_KIT_HLIST, MN_KIT_NO_END);
	play(v, &wrong);
	kill_and_reap(v, -EAGAIN);
	expect(counters(v, 0).refused > 1, "one range is not enough");
	lines = klog_named();
	expect(lines == 1, "the callback is named in %u lines of the log, not 1", lines);
}

/* C6: a victim of 1,000 VMAs is refused 1,000 times without a word in the log. */
static void case_silent_refusal(const struct kit_case *self, struct victim *v)
{
	struct mn_kit_counters c;
	unsigned int lines;

	add(v, 0, MN_KIT_HLIST, MN_KIT_NO_END);
	refuse(v, 0, MN_KIT_ALWAYS);
	kill_and_reap(v, -EAGAIN);
	c = counters(v, 0);
	expect(c.refused >= 1000, "refused %llu times, expected 1000", c.refused);
	lines = klog_named();
	expect(!lines, "%u lines in the log for %llu refusals", lines, c.refused);
}

static void protect_ends(struct victim *v, enum victim_action what)
{
	struct mn_kit_counters c;
	int ret;

	add(v, 0, MN_KIT_HLIST, 0);
	ret = victim_do(v, what);
	if (ret == -EPERM || ret == -EACCES)
		skip("may not map address 0 (vm.mmap_min_addr, or a security module)");
	else
		need(!ret, "mprotect: %s%s", strerror(-ret), remedy(v, -ret));
	c = counters(v, 0);
	if (!ret)
		expect(c.blockable >= 2, "mprotect() started %llu ranges, not 2",
		       c.blockable);
	expect_pairs(v, 0);
}

static void case_protect(const struct kit_case *self, struct victim *v)
{
	protect_ends(v, VICTIM_PROTECT);
}

static void case_protect_zero(const struct kit_case *self, struct victim *v)
{
	protect_ends(v, VICTIM_PROTECT_ZERO);
}

/*
 * C5: the refuser holds until one of the notifiers is off the list, then refuses;
 * the undo walk meets a list that is shorter than the one that was started.
 */
static void removal_during_refusal(struct victim *v, unsigned int kind, bool refuser_itself)
{
	unsigned int n = 9, at = 4, order[MN_KIT_SLOTS] = { 0 }, i, slot;
	unsigned int gone[MN_KIT_HOLD_SLOTS];
	struct mn_kit_script hold = {
		.nonblock_ret = -EAGAIN, .nonblock_times = MN_KIT_ALWAYS,
		.hold = MN_KIT_HOLD_UNHASHED,
	};
	pid_t helper;
	int ret;

	hold.slot = slot_at(n, at);
	for (i = 0; i < n; i++) {
		slot = (i * 61 + 1) % n;
		add(v, slot, kind, slot == hold.slot ? MN_KIT_NO_END : 0);
	}
	find_order(v, order, n);
	/*
	 * Two that were started; or one, and the refuser.  A walk that counts
	 * positions would go too far by two, one that looks for the refuser by two
	 * or to the end, and end somebody who was not started.
	 */
	gone[0] = order[at - 2];
	gone[1] = refuser_itself ? hold.slot : order[at - 3];
	hold.hold_count = ARRAY_SIZE(gone);
	memcpy(hold.hold_slots, gone, sizeof(gone));
	play(v, &hold);
	if (result != PASSED)
		return;
	helper = reap_until_held(v, hold.slot);
	for (i = 0; i < ARRAY_SIZE(gone); i++)
		remove_slot(v, gone[i]);
	ret = helper_wait(helper);
	expect(ret == -EAGAIN, "process_mrelease() returned %d", ret);
	for (i = 0; i < ARRAY_SIZE(gone); i++)
		expect(wait_for(v, gone[i], MN_KIT_REMOVED, PATIENCE_MS),
		       "removal never returns");
	/* No more callbacks for the one that is gone; one more round to see it */
	victim_reap(v);
	for (i = 0; i < n; i++) {
		struct mn_kit_counters c = counters(v, order[i]);

		if (order[i] == gone[0] || order[i] == gone[1] || i == at) {
			expect(!c.late, "%llu callbacks after removal", c.late);
			expect(!c.stray, "%llu ends without a start", c.stray);
			need(!c.hold_timeouts, "what it held for never came; let it rest");
		} else {
			expect_pairs(v, order[i]);
			expect(i > at || c.nonblock, "place %u was not started", i);
		}
	}
}

static void case_removal(const struct kit_case *self, struct victim *v)
{
	removal_during_refusal(v, self->kind, false);
}

static void case_refuser_removal(const struct kit_case *self, struct victim *v)
{
	removal_during_refusal(v, self->kind, true);
}

/* Refusals of a whole victim for each subscription that comes and goes */
#define REFUSALS	32

/* Subscriptions come and go while another process is refused again and again. */
static void case_churn(const struct kit_case *self, struct victim *v)
{
	struct { volatile bool stop; volatile unsigned int refused, cycle; } *shared;
	unsigned int i, cycle, slot;
	struct mn_kit_counters c;
	pid_t helper;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!need(shared != MAP_FAILED, "no memory; raise ulimit -v"))
		return;
	/* Slots 0, 2, 4 ... stay, 1, 3, 5 ... come and go; one in the middle refuses */
	for (i = 0; i < 9; i++) {
		slot = (i * 61 + 1) % 9;
		add(v, slot, slot % 2 ? self->kind : MN_KIT_HLIST,
		    slot == 4 ? MN_KIT_NO_END : 0);
	}
	refuse(v, 4, MN_KIT_ALWAYS);
	kill_and_reap(v, -EAGAIN);
	if (result != PASSED)
		return;

	helper = fork();
	if (!need(helper >= 0, "cannot fork: %s%s", strerror(errno), remedy(v, errno)))
		return;
	if (!helper) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (!shared->stop && victim_reap(v) == -EAGAIN) {
			shared->refused++;
			/* Stock logs every refusal: not more than the log holds */
			while (!shared->stop &&
			       shared->refused / REFUSALS > shared->cycle)
				sched_yield();
		}
		_exit(0);
	}
	for (cycle = 0; result == PASSED &&
	     (cycle < self->others || shared->refused < self->others); cycle++) {
		shared->cycle = cycle;
		slot = cycle * 2 % 8 + 1;
		remove_slot(v, slot);
		expect(wait_for(v, slot, MN_KIT_REMOVED, PATIENCE_MS),
		       "removal never returns");
		c = counters(v, slot);
		expect(!c.late && !c.stray, "slot %u: %llu late, %llu stray", slot,
		       c.late, c.stray);
		add(v, slot, self->kind, 0);
		expect(!waitpid(helper, NULL, WNOHANG),
		       "process_mrelease() was not refused after %u times", shared->refused);
	}
	shared->stop = true;
	helper_wait(helper);
	for (i = 0; i < 9; i += 2)
		if (i != 4)
			expect_pairs(v, i);
	for (i = 1; i < 9; i += 2)
		expect(!counters(v, i).late, "a callback after removal");
	munmap(shared, 4096);
}

/* A real OOM kill; the reaper is refused for some ranges and then succeeds. */
static void case_oom_retried(const struct kit_case *self, struct victim *v)
{
	unsigned int i;

	add_shuffled(v, 5, 2);
	refuse(v, 2, 3);
	oom_kill(v, "oom_reaper: reaped process ");
	expect(counters(v, 2).refused == 3, "refused %llu times, not 3",
	       counters(v, 2).refused);
	for (i = 0; i < 5; i++) {
		if (i == 2)
			continue;
		expect(counters(v, i).nonblock, "slot %u was not started", i);
		expect_pairs(v, i);
	}
}

/* The same, but the refuser never gives in and the reaper gives up. */
static void case_oom_given_up(const struct kit_case *self, struct victim *v)
{
	unsigned int n = 5, at = 2, order[MN_KIT_SLOTS] = { 0 }, i;
	unsigned int refuser = slot_at(n, at);

	add_shuffled(v, n, refuser);
	find_order(v, order, n);
	refuse(v, refuser, MN_KIT_ALWAYS);
	oom_kill(v, "oom_reaper: unable to reap pid:");
	expect_stopped_at(v, order, n, at);
	for (i = 0; i < n; i++)
		if (i != refuser)
			expect_pairs(v, i);
}

/* An OOM victim with an interval notifier and a refuser has to exit, too. */
static void case_oom_victim_exits(const struct kit_case *self, struct victim *v)
{
	add(v, 0, MN_KIT_INTERVAL, 0);
	add(v, 1, MN_KIT_HLIST, MN_KIT_NO_END);
	refuse(v, 1, MN_KIT_ALWAYS);
	oom_kill(v, "oom_reaper: unable to reap pid:");
	expect(counters(v, 0).accepted && counters(v, 1).refused,
	       "both notifiers have to be called");
	victim_exits(v);
}

/*
 * Can non_block_start() be seen?  On PREEMPT_RT it would report every spinlock_t,
 * so a kernel does not have to call it there.
 */
static bool has_brackets(void)
{
	if (info.features & MN_KIT_HAS_RT)
		skip("a PREEMPT_RT kernel need not bracket callbacks");
	else if (!(info.features & MN_KIT_HAS_ATOMIC_SLEEP))
		skip("needs CONFIG_DEBUG_ATOMIC_SLEEP");
	else
		return true;
	return false;
}

/* Callbacks of a non-blocking range run where DEBUG_ATOMIC_SLEEP sees them sleep */
static void case_bracketed(const struct kit_case *self, struct victim *v)
{
	struct mn_kit_counters c;

	if (!has_brackets())
		return;
	if (self->kind == MN_KIT_INTERVAL_TWO_PASS &&
	    !(info.features & MN_KIT_HAS_TWO_PASS)) {
		skip("this kernel has no two-pass interval notifiers");
		return;
	}
	add(v, 0, self->kind, 0);
	kill_and_reap(v, 0);
	c = counters(v, 0);
	expect(c.nonblock, "the callback was not called");
	expect(!c.unbracketed, "%llu callbacks outside non_block_start()", c.unbracketed);
}

static void case_undo_bracketed(const struct kit_case *self, struct victim *v)
{
	unsigned int n = 3, i, refuser = slot_at(n, 1);
	unsigned long long ends = 0, unbracketed = 0;
	struct mn_kit_counters c;

	if (!has_brackets())
		return;
	add_shuffled(v, n, refuser);
	refuse(v, refuser, MN_KIT_ALWAYS);
	kill_and_reap(v, -EAGAIN);
	for (i = 0; i < n; i++) {
		c = counters(v, i);
		ends += c.ends;
		unbracketed += c.unbracketed;
	}
	expect(ends, "nobody was ended");
	expect(!unbracketed, "%llu of %llu ends outside non_block_start()", unbracketed,
	       ends);
}

/* A refused VMA costs no mmu_gather: the notifiers are asked before. */
static void case_not_gathered(const struct kit_case *self, struct victim *v)
{
	struct mn_kit_counters c;

	add(v, 0, MN_KIT_HLIST, MN_KIT_NO_END);
	refuse(v, 0, MN_KIT_ALWAYS);
	kill_and_reap(v, -EAGAIN);
	c = counters(v, 0);
	expect(c.refused, "nothing was refused");
	expect(!c.gathered, "%llu of %llu refused ranges had been gathered for",
	       c.gathered, c.refused);
}

/* The kit itself: a crashed user leaves nothing registered. */
static void case_crash(const struct kit_case *self, struct victim *v)
{
	struct mn_kit_wait alone = {
		.what = MN_KIT_ALONE, .timeout_ms = PATIENCE_MS,
	};
	struct mn_kit_bind bind = { 0 };
	int pipefd[2], kit;
	unsigned int i;
	pid_t pid;
	char c;

	need(!kit_call(ctl, MN_KIT_WAIT, &alone), "another program has /dev/mn_kit; end it");
	if (pipe(pipefd)) {
		need(false, "no pipe: %s; raise ulimit -n", strerror(errno));
		return;
	}
	pid = fork();
	if (pid < 0) {
		need(false, "cannot fork: %s; raise ulimit -u", strerror(errno));
		close(pipefd[0]);
		close(pipefd[1]);
		return;
	}
	if (!pid) {
		kit = open("/dev/mn_kit", O_RDWR);
		if (kit < 0 || kit_call(kit, MN_KIT_BIND, &bind))
			_exit(1);
		for (i = 0; i < 8; i++) {
			struct mn_kit_add args = {
				.slot = i, .kind = i % 3,
				.length = i % 3 == MN_KIT_INTERVAL ? WHOLE_MM : 0,
			};

			if (kit_call(kit, MN_KIT_ADD, &args))
				_exit(1);
		}
		if (write(pipefd[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(pipefd[1]);
	need(read(pipefd[0], &c, 1) == 1, "cannot register; give this machine more memory");
	close(pipefd[0]);
	/* A second run may look in for a moment, before it sees that this one has begun */
	expect(!kit_call(ctl, MN_KIT_INFO, &info) && info.sessions >= 2,
	       "%u sessions, not 2", info.sessions);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	expect(!kit_call(ctl, MN_KIT_WAIT, &alone), "the session outlives its user");
}

/* The kit itself: what it is given is checked. */
static void case_bad_input(const struct kit_case *self, struct victim *v)
{
	unsigned int beyond = MN_KIT_SLOTS, unused = 7;
	struct mn_kit_bind bind = { .flags = ~0u };
	struct mn_kit_mark open_ended, control = { "a\nb" };

	memset(&open_ended, 'x', sizeof(open_ended));
	add(v, 0, MN_KIT_HLIST, 0);
#define REJECTED(error, cmd, ...) do {						\
	int ret = kit_call(v->kit, cmd, __VA_ARGS__);				\
	expect(ret == -(error), #cmd " " #__VA_ARGS__ ": %s, expected %s",	\
	       strerror(-ret), strerror(error));				\
} while (0)
	REJECTED(ENOTTY, _IO('n', 0x7f), NULL);
	REJECTED(ENOTTY, _IO('x', 0x01), NULL);
	REJECTED(ENOTTY, _IOC(_IOC_WRITE, 'n', 0x01, 4096), &bind);
	REJECTED(EFAULT, MN_KIT_ADD, NULL);
	REJECTED(EFAULT, MN_KIT_INFO, NULL);
	REJECTED(EINVAL, MN_KIT_BIND, &bind);
	bind.flags = 0;
	REJECTED(EBUSY, MN_KIT_BIND, &bind);
	REJECTED(EINVAL, MN_KIT_ADD, (&(struct mn_kit_add){ .slot = beyond }));
	REJECTED(EINVAL, MN_KIT_ADD, (&(struct mn_kit_add){ .slot = 1, .kind = MN_KIT_KINDS }));
	REJECTED(EINVAL, MN_KIT_ADD, (&(struct mn_kit_add){ .slot = 1, .flags = 4 }));
	REJECTED(EINVAL, MN_KIT_ADD, (&(struct mn_kit_add){ .slot = 1, .reserved = 1 }));
	REJECTED(EINVAL, MN_KIT_ADD, (&(struct mn_kit_add){ .slot = 1, .length = 1 }));
	REJECTED(EINVAL, MN_KIT_ADD,
		 (&(struct mn_kit_add){ .slot = 1, .kind = MN_KIT_INTERVAL }));
	REJECTED(EOVERFLOW, MN_KIT_ADD,
		 (&(struct mn_kit_add){ .slot = 1, .kind = MN_KIT_INTERVAL,
					.start = 4096, .length = -1ull }));
	REJECTED(EBUSY, MN_KIT_ADD, (&(struct mn_kit_add){ .slot = 0 }));
	REJECTED(EINVAL, MN_KIT_SCRIPT, (&(struct mn_kit_script){ .slot = beyond }));
	REJECTED(EINVAL, MN_KIT_SCRIPT, (&(struct mn_kit_script){ .nonblock_ret = 1 }));
	REJECTED(EINVAL, MN_KIT_SCRIPT, (&(struct mn_kit_script){ .blockable_ret = -4096 }));
	REJECTED(EINVAL, MN_KIT_SCRIPT, (&(struct mn_kit_script){ .hold = 3 }));
	REJECTED(EINVAL, MN_KIT_SCRIPT,
		 (&(struct mn_kit_script){ .hold = MN_KIT_HOLD_UNHASHED, .hold_count = 1,
					   .hold_slots = { unused } }));
	REJECTED(EINVAL, MN_KIT_SCRIPT,
		 (&(struct mn_kit_script){ .hold = MN_KIT_HOLD_UNHASHED, .hold_count = 1,
					   .hold_slots = { beyond } }));
	REJECTED(EINVAL, MN_KIT_SCRIPT,
		 (&(struct mn_kit_script){ .hold = MN_KIT_HOLD_UNHASHED, .hold_count = 3 }));
	REJECTED(EINVAL, MN_KIT_SCRIPT,
		 (&(struct mn_kit_script){ .hold = MN_KIT_HOLD_GATE, .hold_count = 1 }));
	REJECTED(EINVAL, MN_KIT_REMOVE, &beyond);
	REJECTED(EBUSY, MN_KIT_REMOVE, &unused);
	REJECTED(EINVAL, MN_KIT_READ, &beyond);
	REJECTED(EINVAL, MN_KIT_COUNTERS, (&(struct mn_kit_counters){ .slot = beyond }));
	REJECTED(EINVAL, MN_KIT_WAIT, (&(struct mn_kit_wait){ .what = MN_KIT_WHATS }));
	REJECTED(EINVAL, MN_KIT_WAIT, (&(struct mn_kit_wait){ .timeout_ms = -1u }));
	REJECTED(ETIMEDOUT, MN_KIT_WAIT, (&(struct mn_kit_wait){ .what = MN_KIT_REMOVED }));
	REJECTED(EOPNOTSUPP, MN_KIT_STATE, (&(struct mn_kit_state){ 0 }));
	REJECTED(EINVAL, MN_KIT_MARK, &open_ended);
	REJECTED(EINVAL, MN_KIT_MARK, &control);
#undef REJECTED
}

#define AMONG(fn, prefix, danger, n)						\
	{ prefix "_first_among_" #n, danger, UNPAIRED, fn, n, FIRST },		\
	{ prefix "_middle_among_" #n, danger, UNPAIRED, fn, n, MIDDLE },	\
	{ prefix "_last_among_" #n, danger, UNPAIRED, fn, n, LAST }

const struct kit_case cases[] = {
	{ "kit_rejects_bad_input", SAFE, CONTROL, case_bad_input },
	{ "kit_survives_a_crashed_user", SAFE, CONTROL, case_crash, .no_victim = true },
	{ "all_accept", SAFE, CONTROL, case_all_accept, 8 },
	{ "refuser_first_among_1", SAFE, UNPAIRED, case_refuser, 1, FIRST },
	{ "refuser_last_among_1", SAFE, UNPAIRED, case_refuser, 1, LAST },
	AMONG(case_refuser, "refuser", SAFE, 2),
	AMONG(case_refuser, "refuser", SAFE, 8),
	AMONG(case_refuser, "refuser", SAFE, 64),
	{ "several_refusers_among_8", SAFE, UNPAIRED, case_several_refusers, 8 },
	{ "end_only_gets_no_end_for_a_refused_range", SAFE, UNPAIRED, case_end_only },
	{ "refused_then_reaped", SAFE, CONTROL, case_refused_then_reaped },
	{ "interval_refuses_before_any_hlist_start", SAFE, CONTROL, case_interval_refuses,
	  .kind = MN_KIT_INTERVAL },
	{ "refusal_leaves_nothing_outstanding", SAFE, STAYS_OPEN, case_nothing_outstanding,
	  .opts = { .bind = MN_KIT_PEEK } },
	{ "refusal_of_1000_vmas_logs_nothing", LOGS, LESSER, case_silent_refusal,
	  .opts = { .vmas = 1000 } },
	{ "refused_range_is_not_gathered_for", SAFE, LESSER, case_not_gathered },
	{ "mprotect_is_ended", SAFE, CONTROL, case_protect },
	{ "mprotect_at_zero_is_ended", SAFE, LESSER, case_protect_zero },
	{ "unregister_during_a_refusal", SAFE, CONTROL, case_removal,
	  .kind = MN_KIT_HLIST },
	{ "put_during_a_refusal", SAFE, CONTROL, case_removal,
	  .kind = MN_KIT_HLIST_GET },
	{ "refuser_unregistered_during_its_refusal", SAFE, CONTROL, case_refuser_removal,
	  .kind = MN_KIT_HLIST },
	{ "refuser_put_during_its_refusal", SAFE, CONTROL, case_refuser_removal,
	  .kind = MN_KIT_HLIST_GET },
	{ "register_and_unregister_during_refusals", LOGS, CONTROL, case_churn,
	  .others = 60, .kind = MN_KIT_HLIST },
	{ "get_and_put_during_refusals", LOGS, CONTROL, case_churn,
	  .others = 60, .kind = MN_KIT_HLIST_GET },
	{ "hlist_callbacks_are_bracketed", SAFE, CONTROL, case_bracketed,
	  .kind = MN_KIT_HLIST },
	{ "interval_callbacks_are_bracketed", SAFE, LESSER, case_bracketed,
	  .kind = MN_KIT_INTERVAL },
	{ "two_pass_callbacks_are_bracketed", SAFE, LESSER, case_bracketed,
	  .kind = MN_KIT_INTERVAL_TWO_PASS },
	{ "ends_of_a_refused_range_are_bracketed", SAFE, LESSER, case_undo_bracketed },
	{ "oom_reaper_retries_after_refusals", LOGS, CONTROL, case_oom_retried,
	  .opts = { .oom = true } },
	{ "oom_reaper_gives_up_and_all_is_ended", SAFE, UNPAIRED, case_oom_given_up,
	  .opts = { .oom = true } },
	AMONG(case_refuser_with_end, "refuser_with_end", WARNS, 8),
	{ "blockable_error_is_reported_once_and_ended_once", WARNS, UNPAIRED,
	  case_blockable_error },
	{ "interval_blockable_error_is_reported_once_by_name", WARNS, LESSER,
	  case_interval_blockable_error },
	{ "refused_release_is_reported_by_name", WARNS, LESSER, case_refused_release },
	{ "wrong_refusal_code_is_reported_once_by_name", WARNS, LESSER,
	  case_wrong_refusal },
	{ "two_pass_is_finished_when_another_refuses", HANGS, CONTROL, case_two_pass },
	{ "read_begin_returns_after_a_refusal", HANGS, STAYS_OPEN, case_read_begin_returns },
	{ "interval_remove_returns_after_a_refusal", HANGS, STAYS_OPEN, case_remove_returns },
	{ "deferred_insert_and_remove_after_a_refusal", HANGS, STAYS_OPEN, case_deferred,
	  .opts = { .bind = MN_KIT_PEEK } },
	{ "victim_exits_after_a_refusal", HANGS, STAYS_OPEN, case_victim_exits,
	  .opts = { .bind = MN_KIT_SYNC_CLOSE } },
	{ "oom_victim_exits_after_refusals", HANGS, STAYS_OPEN, case_oom_victim_exits,
	  .opts = { .bind = MN_KIT_SYNC_CLOSE, .oom = true } },
};

const unsigned int nr_cases = ARRAY_SIZE(cases);

static_assert(ARRAY_SIZE(cases) <= MAX_CASES, "too many cases for the report");

static void mark(const char *what, const char *name)
{
	struct mn_kit_mark m = { 0 };

	if (!marks)
		return;
	snprintf(m.text, sizeof(m.text), "%s %s", what, name);
	kit_call(ctl, MN_KIT_MARK, &m);
}

/*
 * In each child: it dies with this program, no key of the terminal reaches it, and
 * if it is stuck, neither the claim on the module nor a pipe stays open with it.
 */
static void in_child(void)
{
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	close(ctl);
	close(klog.fd);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		close(null);
	}
}

void run_case(const struct kit_case *c)
{
	static bool prepared;
	struct mn_kit_wait alone = {
		.what = MN_KIT_ALONE, .timeout_ms = PATIENCE_MS,
	};
	struct victim v;

	if (!prepared)
		prepared = !pthread_atfork(NULL, NULL, in_child);
	klog.named = 0;
	klog.lost = false;
	klog.fd = klog_open();
	need(klog.fd >= 0, "/dev/kmsg: %s; run it outside of a container",
	     strerror(-klog.fd));
	mark("case", c->name);
	if (result == PASSED && c->no_victim) {
		c->run(c, NULL);
	} else if (result == PASSED && start(&v, &c->opts)) {
		c->run(c, &v);
		victim_end(&v);
	}
	/* Every session must be gone, unless one is known never to go */
	if (!stuck && kit_call(ctl, MN_KIT_WAIT, &alone)) {
		expect(false, "the subscriptions cannot be removed");
		stuck = true;
	}
	mark("end", c->name);
	if (klog.fd >= 0)
		close(klog.fd);
}
