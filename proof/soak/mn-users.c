// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reap a process that has a notifier of KVM or rxe, while a notifier refuses.
 * Prints KTAP.
 *
 * The process is a victim of the kit, held in its exit.  Each wait has a time limit.
 * The victim or a helper makes each call that may hang on an affected kernel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "made.h"
#include "mn_kvm.h"
#include "outcome.h"
#include "users.h"

#ifndef __NR_pidfd_open
#define __NR_pidfd_open		434
#endif
#ifndef __NR_pidfd_getfd
#define __NR_pidfd_getfd	438
#endif

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define REFUSALS	20
/* The allocator decides the order in the list: try up to so many victims */
#define TRIES		10
/* Long, because an emulated guest is slow.  A later event never comes. */
#define PATIENCE_MS	30000

enum place { BEHIND, BEFORE };	/* in the list, relative to the refuser */

struct user_case {
	const char *name;
	void (*run)(const struct user_case *self, struct victim *v);
	struct victim_opts opts;
	enum place place;	/* of KVM's notifier */
};

static int ctl = -1;		/* a session of the kit, not bound to an mm */
static int kvm = -1;		/* /dev/mn_kvm */
static bool stuck;		/* a session will never be torn down */
static bool misplaced;		/* no session has the place that the case needs */

/* Copy a descriptor of the victim.  Returns the copy or a negative errno. */
static int victim_fd(struct victim *v, int fd)
{
	int copy = syscall(__NR_pidfd_getfd, v->pidfd, fd, 0);

	return copy < 0 ? -errno : copy;
}

/*
 * Steps.  A step that fails makes the case fail.
 */

static void add(struct victim *v, unsigned int slot, int refusal)
{
	struct mn_kit_add args = { .slot = slot, .kind = MN_KIT_HLIST };
	struct mn_kit_script script = {
		.slot = slot, .nonblock_ret = refusal, .nonblock_times = MN_KIT_ALWAYS,
	};

	expect(!ioctl(v->kit, MN_KIT_ADD, &args) &&
	       !ioctl(v->kit, MN_KIT_SCRIPT, &script), "slot %u: %s", slot,
	       strerror(errno));
}

static void take_away(struct victim *v, unsigned int slot)
{
	struct mn_kit_wait args = {
		.slot = slot, .what = MN_KIT_REMOVED, .timeout_ms = PATIENCE_MS,
	};

	expect(!ioctl(v->kit, MN_KIT_REMOVE, &slot) &&
	       !ioctl(v->kit, MN_KIT_WAIT, &args), "slot %u cannot be removed: %s",
	       slot, strerror(errno));
}

static struct mn_kit_counters counters(struct victim *v, unsigned int slot)
{
	struct mn_kit_counters c = { .slot = slot };

	expect(!ioctl(v->kit, MN_KIT_COUNTERS, &c), "counters: %s", strerror(errno));
	return c;
}

/* Each accepted start must have exactly one end, and there must be no other end. */
static void expect_pairs(struct victim *v, unsigned int slot)
{
	struct mn_kit_counters c = counters(v, slot);

	expect(!c.stray && !c.open && c.ends == c.accepted,
	       "slot %u: %llu starts accepted, %llu ends, %llu of them without a start",
	       slot, c.accepted, c.ends, c.stray);
}

static void kill_it(struct victim *v)
{
	int ret = victim_kill(v);

	expect(!ret, "cannot hold the victim in exit: %s", strerror(-ret));
}

static void reap(struct victim *v, int want)
{
	int ret = victim_reap(v);

	if (ret == -ENOSYS)
		skip("no process_mrelease()");
	else
		expect(ret == want, "process_mrelease() returned %d, not %d", ret, want);
}

static void exits(struct victim *v)
{
	if (v->kit >= 0)
		close(v->kit);
	v->kit = -1;
	victim_let_go(v);
	if (!victim_gone(v, PATIENCE_MS)) {
		expect(false, "the victim never exits");
		v->stuck = true;
		stuck = true;
	}
}

/* Let a helper make the last close of a file, because it may never return. */
static void last_close(int fd)
{
	struct pollfd closed = { .events = POLLIN };
	int ours[2];
	pid_t pid;
	char c;

	if (!expect(!pipe2(ours, O_CLOEXEC), "pipe: %s", strerror(errno)))
		return;
	pid = fork();
	if (!pid) {
		close(ours[1]);
		/* The read returns once the parent has closed its descriptors */
		_exit(read(ours[0], &c, 1) || close(fd));
	}
	close(fd);
	close(ours[0]);
	close(ours[1]);
	closed.fd = syscall(__NR_pidfd_open, pid, 0);
	expect(pid > 0 && closed.fd >= 0 && poll(&closed, 1, PATIENCE_MS) == 1 &&
	       !helper_wait(pid), "the last close of the file never returns");
	if (closed.fd >= 0)
		close(closed.fd);
}

/*
 * KVM
 */

static struct mn_kvm_state kvm_state(int vm)
{
	struct mn_kvm_state s = { .vm = vm };

	expect(!ioctl(kvm, MN_KVM_STATE, &s), "KVM's state: %s", strerror(errno));
	return s;
}

static void expect_balanced(const struct mn_kvm_state *s, const char *when)
{
	expect(!s->active && !s->in_progress,
	       "%s KVM has %llu ranges open, %lld of them in guest memory", when,
	       s->active, s->in_progress);
}

/*
 * Find a session whose notifier has the right place in the list, and let it refuse.
 * One session at a time has a notifier, so the list holds that one and KVM's.
 */
static void add_refuser(struct victim *v, int vm, enum place place)
{
	unsigned int i;

	for (i = 0; result == PASSED && i < SESSIONS; i++) {
		close(v->kit);
		v->kit = victim_fd(v, made->sessions[i]);
		if (!expect(v->kit >= 0, "session: %s", strerror(-v->kit)))
			return;
		add(v, 0, -EAGAIN);
		if (place == (kvm_state(vm).behind ? BEFORE : BEHIND))
			return;
		take_away(v, 0);
	}
	misplaced = result == PASSED;
	skip(place == BEFORE ? "no session of the kit comes behind KVM's notifier" :
			       "no session of the kit comes before KVM's notifier");
}

/*
 * Add a refuser to the mm of a machine, kill the victim, and try to reap it.  Check
 * KVM's counts after each refusal.  Returns a copy of the machine's descriptor, or
 * a negative errno.
 */
static int kvm_refused(const struct user_case *self, struct victim *v)
{
	struct mn_kvm_state s, last;
	struct mn_kit_counters c;
	unsigned int i;
	int vm;

	vm = victim_fd(v, made->file);
	if (!expect(vm >= 0, "the machine's file: %s", strerror(-vm)))
		return vm;
	expect(kvm_statistic(v, "pages_4k") > 0, "the guest has no page mapped");
	add_refuser(v, vm, self->place);
	last = kvm_state(vm);
	expect(last.listed, "KVM has no notifier on the list");
	expect_balanced(&last, "before any refusal");
	kill_it(v);
	for (i = 0; result == PASSED && i < REFUSALS; i++) {
		reap(v, -EAGAIN);
		s = kvm_state(vm);
		expect_balanced(&s, "after a refusal");
		if (self->place == BEFORE)
			expect(s.sequence > last.sequence, "KVM was not started");
		else
			expect(s.sequence == last.sequence, "KVM was started");
		last = s;
	}
	c = counters(v, 0);
	expect(c.refused >= REFUSALS && c.refused == c.nonblock,
	       "refused %llu of %llu ranges", c.refused, c.nonblock);
	expect_pairs(v, 0);
	return vm;
}

static void case_kvm_refused(const struct user_case *self, struct victim *v)
{
	close(kvm_refused(self, v));
}

static void case_kvm_reaped(const struct user_case *self, struct victim *v)
{
	int vm = kvm_refused(self, v);
	struct mn_kvm_state before = kvm_state(vm), after;
	long pages;

	if (result == PASSED)
		take_away(v, 0);
	if (result == PASSED)
		reap(v, 0);
	after = kvm_state(vm);
	expect_balanced(&after, "after the reaping");
	expect(after.sequence > before.sequence, "KVM was not started");
	pages = kvm_statistic(v, "pages_4k");
	expect(!pages, "the guest has %ld pages mapped", pages);
	close(vm);
}

/* Test mn_kvm itself: it must reject each file that is not a machine. */
static void case_machines_only(const struct user_case *self, struct victim *v)
{
	const struct { int file, error; } others[] = {
		{ -1, EBADF }, { ctl, EINVAL }, { v->pidfd, EINVAL }, { v->cmd, EINVAL },
		{ eventfd(0, EFD_CLOEXEC), EINVAL },
	};
	struct mn_kvm_state s;
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		s = (struct mn_kvm_state){ .vm = others[i].file };
		ret = ioctl(kvm, MN_KVM_STATE, &s) ? errno : 0;
		expect(ret == others[i].error, "file %u: %s", i, strerror(ret));
	}
	close(others[i - 1].file);
	ret = ioctl(kvm, _IO('K', 0x7f), 0) ? errno : 0;
	expect(ret == ENOTTY, "another command: %s", strerror(ret));
}

/* The victim has the last reference to its machine, as in normal use of KVM. */
static void case_kvm_exit(const struct user_case *self, struct victim *v)
{
	long pages;

	close(kvm_refused(self, v));
	if (result != PASSED)
		return;
	exits(v);
	pages = kvm_statistic(v, "pages_4k");
	expect(pages == -ENOENT, "the machine is still there");
}

/* The test has a reference to the machine, too, so the mm is freed first. */
static void case_kvm_outlives(const struct user_case *self, struct victim *v)
{
	int vm = kvm_refused(self, v);
	struct mn_kvm_state s;
	long pages;

	if (result != PASSED) {
		close(vm);
		return;
	}
	exits(v);
	s = kvm_state(vm);
	expect_balanced(&s, "after the victim's exit");
	expect(!s.listed, "KVM's notifier is on the list of an mm that is gone");
	pages = kvm_statistic(v, "pages_4k");
	expect(pages >= 0, "the machine is gone: %s", strerror(-pages));
	last_close(vm);
	pages = kvm_statistic(v, "pages_4k");
	expect(pages == -ENOENT, "the machine is still there");
}

/*
 * rxe
 */

enum { FIRST, REFUSER, LAST };	/* slots, in the order of the list */

static struct mn_kit_state state(struct victim *v)
{
	struct mn_kit_state s = { 0 };

	expect(!ioctl(v->kit, MN_KIT_STATE, &s), "state: %s", strerror(errno));
	return s;
}

/* Add notifiers of the kit to the mm that has rxe's, and kill the victim. */
static void add_and_kill(struct victim *v)
{
	add(v, FIRST, 0);
	add(v, REFUSER, -EAGAIN);
	add(v, LAST, 0);
	kill_it(v);
}

static void reap_often(struct victim *v)
{
	unsigned int i;

	for (i = 0; result == PASSED && i < REFUSALS; i++)
		reap(v, -EAGAIN);
}

/* Each attempt must call rxe's notifier, and must leave no range open. */
static void reap_often_and_look(struct victim *v)
{
	struct mn_kit_state s, last = state(v);
	unsigned int i;

	expect(!last.active_ranges && !(last.sequence & 1) && !last.deferred,
	       "not a quiet mm to begin with");
	for (i = 0; result == PASSED && i < REFUSALS; i++) {
		reap(v, -EAGAIN);
		s = state(v);
		expect(!s.active_ranges && !(s.sequence & 1) && !s.deferred,
		       "%llu ranges open, sequence %llu, %u deferred",
		       s.active_ranges, s.sequence, s.deferred);
		/* Only a range that overlaps an interval notifier changes it */
		expect(s.sequence > last.sequence, "rxe was not asked");
		last = s;
	}
}

static void case_rxe_nothing_open(const struct user_case *self, struct victim *v)
{
	add_and_kill(v);
	reap_often_and_look(v);
}

static void case_rxe_pairs(const struct user_case *self, struct victim *v)
{
	unsigned int slot;

	add_and_kill(v);
	reap_often(v);
	for (slot = FIRST; slot <= LAST; slot++)
		expect_pairs(v, slot);
	expect(counters(v, FIRST).accepted, "nobody was started before the refuser");
	expect(counters(v, REFUSER).refused >= REFUSALS, "the refuser was not asked");
	expect(!counters(v, LAST).nonblock, "somebody was started behind the refuser");
}

/* Only rxe refuses now, so each range outside its memory is started and ended. */
static void case_rxe_alone(const struct user_case *self, struct victim *v)
{
	add_and_kill(v);
	reap_often(v);
	if (result == PASSED)
		take_away(v, REFUSER);
	reap_often_and_look(v);
	expect_pairs(v, FIRST);
	expect_pairs(v, LAST);
	expect(counters(v, LAST).accepted, "nobody was started");
}

static void case_rxe_exit(const struct user_case *self, struct victim *v)
{
	add_and_kill(v);
	reap_often(v);
	if (result == PASSED)
		exits(v);
}

static void case_rxe_outlives(const struct user_case *self, struct victim *v)
{
	int file = victim_fd(v, made->file);

	if (!expect(file >= 0, "the region's file: %s", strerror(-file)))
		return;
	add_and_kill(v);
	reap_often(v);
	if (result != PASSED) {
		/* Not the last close: the victim has the file, too */
		close(file);
		return;
	}
	exits(v);
	last_close(file);
}

static const struct user_case cases[] = {
	{ "only_a_machine_has_a_state", case_machines_only },
	{ "kvm_behind_a_refuser_is_not_started", case_kvm_refused,
	  { .setup = kvm_setup }, BEHIND },
	{ "kvm_before_a_refuser_is_ended_after_each_start", case_kvm_refused,
	  { .setup = kvm_setup }, BEFORE },
	{ "kvm_is_reaped_when_the_refuser_before_it_is_gone", case_kvm_reaped,
	  { .setup = kvm_setup }, BEHIND },
	{ "kvm_is_reaped_when_the_refuser_behind_it_is_gone", case_kvm_reaped,
	  { .setup = kvm_setup }, BEFORE },
	{ "machine_behind_a_refuser_goes_with_its_victim", case_kvm_exit,
	  { .setup = kvm_setup }, BEHIND },
	{ "machine_before_a_refuser_goes_with_its_victim", case_kvm_exit,
	  { .setup = kvm_setup }, BEFORE },
	{ "machine_behind_a_refuser_may_outlive_its_victim", case_kvm_outlives,
	  { .setup = kvm_setup }, BEHIND },
	{ "machine_before_a_refuser_may_outlive_its_victim", case_kvm_outlives,
	  { .setup = kvm_setup }, BEFORE },
	{ "rxe_refuses_and_leaves_nothing_open", case_rxe_nothing_open,
	  { .setup = rxe_setup, .bind = MN_KIT_PEEK } },
	{ "notifiers_beside_rxe_get_exact_pairs", case_rxe_pairs,
	  { .setup = rxe_setup, .bind = MN_KIT_PEEK } },
	{ "rxe_alone_refuses_and_leaves_nothing_open", case_rxe_alone,
	  { .setup = rxe_setup, .bind = MN_KIT_PEEK } },
	{ "region_of_rxe_goes_with_its_victim", case_rxe_exit,
	  { .setup = rxe_setup, .bind = MN_KIT_PEEK } },
	{ "region_of_rxe_may_outlive_its_victim", case_rxe_outlives,
	  { .setup = rxe_setup, .bind = MN_KIT_PEEK } },
	{ "region_of_rxe_goes_with_the_next_victim", case_rxe_exit,
	  { .setup = rxe_setup, .bind = MN_KIT_PEEK } },
};

static const char *no_rxe;	/* why there is no rxe device */

/* Returns why the case cannot run on this kernel, or NULL if it can. */
static const char *lacks(const struct user_case *c)
{
	int fd;

	if (c->opts.setup == rxe_setup)
		return no_rxe;
	if (c->opts.setup != kvm_setup)
		return NULL;
	fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENODEV))
		return "no /dev/kvm: no KVM, or no virtualization to be had";
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void mark(const char *what, const char *name)
{
	struct mn_kit_mark m = { 0 };

	snprintf(m.text, sizeof(m.text), "%s %s", what, name);
	ioctl(ctl, MN_KIT_MARK, &m);
}

static void run_with_victim(const struct user_case *c)
{
	struct victim v;
	int ret;

	result = PASSED;
	misplaced = false;
	memset(made, 0, sizeof(*made));
	ret = victim_start(&v, &c->opts);
	if (!ret) {
		c->run(c, &v);
		victim_end(&v);
	} else if (ret == -EOPNOTSUPP && !made->step[0] && made->file) {
		skip("rxe does not page in on demand");
	} else if (ret == -EOPNOTSUPP && !made->step[0] && c->opts.bind) {
		skip("unknown layout of struct mmu_notifier_subscriptions");
	} else {
		expect(false, "cannot start a victim: %s: %s", made->step, strerror(-ret));
	}
}

/* Returns true unless the case failed. */
static bool run_case(const struct user_case *c, unsigned int number)
{
	struct mn_kit_wait alone = {
		.what = MN_KIT_ALONE, .timeout_ms = PATIENCE_MS,
	};
	const char *missing = lacks(c);
	unsigned int tries = TRIES;

	result = PASSED;
	mark("case", c->name);
	if (missing)
		skip(missing);
	else
		do
			run_with_victim(c);
		while (misplaced && --tries);
	if (!stuck && ioctl(ctl, MN_KIT_WAIT, &alone)) {
		expect(false, "the subscriptions cannot be removed");
		stuck = true;
	}
	mark("end", c->name);

	return print_outcome(number, c->name);
}

static bool load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool loaded = fd >= 0 && !syscall(SYS_finit_module, fd, "", 0);

	if (!loaded)
		printf("Bail out! %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return loaded;
}

int main(int argc, char **argv)
{
	unsigned int i, bad = 0;
	int ret;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 3) {
		fprintf(stderr, "usage: mn-users MN_KIT.KO MN_KVM.KO, in a throwaway guest\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	printf("KTAP version 1\n1..%zu\n", ARRAY_SIZE(cases));
	if (!load(argv[1]) || !load(argv[2]))
		return 1;
	ctl = open("/dev/mn_kit", O_RDWR | O_CLOEXEC);
	kvm = open("/dev/mn_kvm", O_RDWR | O_CLOEXEC);
	if (ctl < 0 || kvm < 0 || !made_map()) {
		printf("Bail out! no devices: %s\n", strerror(errno));
		return 1;
	}

	ret = rxe_link();
	if (ret == -EPROTONOSUPPORT || ret == -EAFNOSUPPORT || ret == -ENOSYS)
		no_rxe = "no RDMA in this kernel";
	else if (ret == -EINVAL || ret == -ECONNREFUSED)
		no_rxe = "no rxe in this kernel";
	else if (ret)
		printf("# no device of rxe: %s\n", strerror(-ret));

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		bad += !run_case(&cases[i], i + 1);
	return bad ? 1 : 0;
}
