// SPDX-License-Identifier: GPL-2.0-only
/*
 * Races around refused ranges, for a given time.  Victims use and lose their
 * mappings, and reapers are refused again and again, while notifiers of every
 * kind come and go.  The kit's counters must add up after each round.
 *
 * Each worker is a process with victims of its own.  It forks its helpers: reapers,
 * and a process that adds and removes notifiers.  No result depends on a clock.  A
 * round ends after a number of refusals, and each worker runs a minimum of rounds.
 * The clock only decides when no new round begins.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

#define MAX_WORKERS	8
#define MAX_SLOTS	20
#define REAPERS		2
#define REFUSALS	400		/* per round, at least */
#define PATIENCE_MS	60000
#define OOM_EVERY	8		/* rounds of the first worker, from its first one on */
#define ROUNDS		4		/* of each worker, at least, whatever the clock */
/* An interval notifier from 0 of this length covers any process */
#define WHOLE_MM	(1ull << 47)

/* All processes add to these. */
static struct totals {
	uint64_t rounds, oom_kills;
	uint64_t reaps;			/* process_mrelease() calls that were refused */
	uint64_t ranges;		/* ranges that were refused */
	uint64_t pairs;			/* starts that were ended */
	uint64_t actions;		/* mprotect(), munmap(), madvise(), fork() */
	uint64_t added, removed, read;
	uint64_t failures;
} *totals;

/* Shared by a worker and its helpers */
struct common {
	volatile bool stop;
	volatile bool failed;
	volatile bool stuck;		/* the victim will not exit */
	uint64_t refused;		/* process_mrelease() calls, so far */
	uint64_t changes;		/* slots removed and added again, so far */
};

struct round {
	struct victim v;
	struct common *common;
	unsigned int worker, number, slots, refusers;
	unsigned int kind[MAX_SLOTS], flags[MAX_SLOTS];
	bool stays[MAX_SLOTS];
	bool oom;
};

static uint32_t features;
static uint32_t dice;

static uint32_t roll(uint32_t sides)
{
	dice ^= dice << 13;
	dice ^= dice >> 17;
	dice ^= dice << 5;
	return dice % sides;
}

static void count(uint64_t *counter, uint64_t more)
{
	__atomic_add_fetch(counter, more, __ATOMIC_RELAXED);
}

__attribute__((format(printf, 3, 4)))
static bool expect(struct round *r, bool ok, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	if (ok)
		return true;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	printf("worker %u round %u: %s\n", r->worker, r->number, why);
	r->common->failed = true;
	count(&totals->failures, 1);
	return false;
}

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "mn-soak: %s: %s\n", what, strerror(errno));
	_exit(3);
}

static void *shared(size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		die("no memory");
	return mem;
}

/*
 * Steps
 */

static void choose(struct round *r, unsigned int slot)
{
	/* The first two refuse: one stays, the other comes and goes */
	if (slot < r->refusers) {
		r->kind[slot] = slot && roll(2) ? MN_KIT_HLIST_GET : MN_KIT_HLIST;
		r->flags[slot] = roll(2) ? MN_KIT_NO_END : 0;
		r->stays[slot] = !slot;
		return;
	}
	r->kind[slot] = roll(features & MN_KIT_HAS_TWO_PASS ? 4 : 3);
	r->flags[slot] = 0;
	if (r->kind[slot] < MN_KIT_INTERVAL && !roll(4))
		r->flags[slot] = roll(2) ? MN_KIT_NO_END : MN_KIT_NO_START;
	r->stays[slot] = roll(2);
}

/* Returns 0, or -ESRCH if the mm is gone */
static int add(struct round *r, unsigned int slot)
{
	struct mn_kit_add args = {
		.slot = slot, .kind = r->kind[slot], .flags = r->flags[slot],
	};
	struct mn_kit_script refuse = {
		.slot = slot, .nonblock_ret = -EAGAIN, .nonblock_times = MN_KIT_ALWAYS,
	};

	if (args.kind >= MN_KIT_INTERVAL)
		args.length = WHOLE_MM;
	/* Before registration: it must refuse from the first range on */
	if (slot < r->refusers)
		expect(r, !ioctl(r->v.kit, MN_KIT_SCRIPT, &refuse), "script: %s",
		       strerror(errno));
	if (ioctl(r->v.kit, MN_KIT_ADD, &args)) {
		expect(r, errno == ESRCH, "cannot add slot %u: %s", slot,
		       strerror(errno));
		return -errno;
	}
	count(&totals->added, 1);
	return 0;
}

static bool wait_for(struct round *r, unsigned int slot, enum mn_kit_what what)
{
	struct mn_kit_wait args = {
		.slot = slot, .what = what, .timeout_ms = PATIENCE_MS,
	};

	return !ioctl(r->v.kit, MN_KIT_WAIT, &args);
}

/* Removal and mmu_interval_read_begin() run in the module's workers. */
static bool remove_slot(struct round *r, unsigned int slot)
{
	if (!expect(r, !ioctl(r->v.kit, MN_KIT_REMOVE, &slot), "remove: %s",
		    strerror(errno)) ||
	    !expect(r, wait_for(r, slot, MN_KIT_REMOVED),
		    "slot %u, kind %u: removal never returns", slot, r->kind[slot])) {
		r->common->stuck = true;
		return false;
	}
	count(&totals->removed, 1);
	return true;
}

static bool read_slot(struct round *r, unsigned int slot)
{
	if (!expect(r, !ioctl(r->v.kit, MN_KIT_READ, &slot), "read: %s",
		    strerror(errno)) ||
	    !expect(r, wait_for(r, slot, MN_KIT_READ_DONE),
		    "slot %u: mmu_interval_read_begin() never returns", slot)) {
		r->common->stuck = true;
		return false;
	}
	count(&totals->read, 1);
	return true;
}

/* Remove and add notifiers that do not stay, until stopped, or the mm is gone. */
static void churn(struct round *r)
{
	unsigned int slot;

	while (!r->common->stop && !r->common->failed) {
		slot = roll(r->slots);
		if (r->kind[slot] >= MN_KIT_INTERVAL && roll(2) &&
		    !read_slot(r, slot))
			return;
		if (r->stays[slot])
			continue;
		if (!remove_slot(r, slot))
			return;
		if (add(r, slot))
			return;
		count(&r->common->changes, 1);
	}
}

/*
 * A victim is reaped until REFUSALS calls were refused and each slot had its
 * chance to change.  An OOM victim is reaped until the OOM reaper gives up: then
 * nothing is left to reap, and the OOM reaper is in no range any more.
 */
static bool enough(const struct round *r)
{
	return !r->oom && __atomic_load_n(&r->common->refused, __ATOMIC_RELAXED) >= REFUSALS &&
	       __atomic_load_n(&r->common->changes, __ATOMIC_RELAXED) >= r->slots;
}

static void reap(struct round *r)
{
	int ret;

	do {
		ret = victim_reap(&r->v);
		if (ret != -EAGAIN)
			break;
		count(&r->common->refused, 1);
	} while (!enough(r) && !r->common->failed);
	expect(r, ret == (r->oom ? 0 : -EAGAIN),
	       "process_mrelease() returned %d beside a refuser", ret);
}

static pid_t beside(struct round *r, void (*what)(struct round *r), uint32_t seed)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dice = seed | 1;
		what(r);
		_exit(0);
	}
	return pid;
}

static void join(struct round *r, pid_t pid)
{
	expect(r, !helper_wait(pid), "a part of it has crashed");
}

/* No range is running: the counters must add up. */
static void check_slots(struct round *r)
{
	unsigned int slot;

	for (slot = 0; slot < r->slots; slot++) {
		struct mn_kit_counters c = { .slot = slot };

		expect(r, !ioctl(r->v.kit, MN_KIT_COUNTERS, &c), "counters: %s",
		       strerror(errno));
		expect(r, !c.late, "slot %u, kind %u: %llu callbacks after removal",
		       slot, r->kind[slot], c.late);
		expect(r, !c.unbracketed, "slot %u, kind %u: %llu callbacks may sleep",
		       slot, r->kind[slot], c.unbracketed);
		if (r->flags[slot] & MN_KIT_NO_START)
			continue;
		expect(r, !c.stray, "slot %u, kind %u: %llu ends without a start",
		       slot, r->kind[slot], c.stray);
		if (!r->stays[slot] || r->flags[slot] & MN_KIT_NO_END)
			continue;
		expect(r, !c.open, "slot %u, kind %u: %lld starts never ended", slot,
		       r->kind[slot], c.open);
	}
}

static void tally(struct round *r)
{
	unsigned int slot;

	for (slot = 0; slot < r->slots; slot++) {
		struct mn_kit_counters c = { .slot = slot };

		ioctl(r->v.kit, MN_KIT_COUNTERS, &c);
		count(&totals->ranges, slot < r->refusers ? c.refused : 0);
		if (!(r->flags[slot] & MN_KIT_NO_START))
			count(&totals->pairs, c.ends + c.finishes);
	}
	count(&totals->reaps, r->common->refused);
	count(&totals->rounds, 1);
}

static void check_state(struct round *r)
{
	struct mn_kit_state s = { 0 };

	expect(r, !ioctl(r->v.kit, MN_KIT_STATE, &s), "state: %s", strerror(errno));
	expect(r, !s.active_ranges && !s.deferred && !(s.sequence & 1),
	       "%llu ranges open, %u deferred, sequence %llu",
	       s.active_ranges, s.deferred, s.sequence);
}

/* The victim lives: blockable ranges, while notifiers come and go. */
static void use(struct round *r)
{
	static const enum victim_action actions[] = {
		VICTIM_DISCARD, VICTIM_PROTECT, VICTIM_PROTECT_ZERO, VICTIM_MAP,
		VICTIM_FORK,
	};
	unsigned int i, n = 8 + roll(24);
	int ret;

	for (i = 0; i < n && !r->common->failed; i++) {
		ret = victim_do(&r->v, actions[roll(sizeof(actions) / sizeof(*actions))]);
		expect(r, !ret, "the victim's action: %s", strerror(-ret));
		count(&totals->actions, 1);
	}
}

static void die_and_be_refused(struct round *r, pid_t churner)
{
	pid_t reapers[REAPERS];
	unsigned int i;
	int ret;

	if (r->oom) {
		ret = victim_do(&r->v, VICTIM_HOG);
		ret = ret ? ret : victim_stopped(&r->v);
		count(&totals->oom_kills, 1);
	} else {
		ret = victim_kill(&r->v);
	}
	expect(r, !ret, "cannot hold the victim in exit: %s", strerror(-ret));
	for (i = 0; i < REAPERS; i++)
		reapers[i] = beside(r, reap, 0);
	for (i = 0; i < REAPERS; i++)
		join(r, reapers[i]);
	r->common->stop = true;
	join(r, churner);
}

/* Half of the victims exit while their notifiers are removed. */
static void leave(struct round *r)
{
	pid_t churner = 0;
	unsigned int i;

	if (roll(2)) {
		for (i = 0; i < r->refusers && !r->common->failed; i++)
			remove_slot(r, i);
		if (!r->common->failed)
			expect(r, !victim_reap(&r->v), "refused with no refuser left");
		check_state(r);
	} else {
		/* The refusers, too: no non-blocking range comes any more */
		memset(r->stays, 0, sizeof(r->stays));
		r->common->stop = false;
		churner = beside(r, churn, roll(UINT32_MAX));
	}
	victim_let_go(&r->v);
	if (!expect(r, victim_gone(&r->v, PATIENCE_MS), "the victim never exits"))
		r->common->stuck = true;
	r->common->stop = true;
	if (churner)
		join(r, churner);
	check_slots(r);
}

static void one_round(struct round *r)
{
	struct victim_opts opts = {
		.bind = MN_KIT_PEEK | (roll(2) ? MN_KIT_SYNC_CLOSE : 0),
		.vmas = 1 + roll(32),
		.oom = !r->worker && !(r->number % OOM_EVERY),
	};
	unsigned int slot, i;
	pid_t churner;
	int ret;

	memset(r->common, 0, sizeof(*r->common));
	r->oom = opts.oom;
	r->refusers = 2;
	r->slots = r->refusers + 2 + roll(MAX_SLOTS - r->refusers - 2);
	ret = victim_start(&r->v, &opts);
	if (!expect(r, !ret, "cannot start a victim: %s", strerror(-ret)))
		return;
	for (i = 0; i < r->slots; i++) {
		/* 7 and the number of slots are coprime, unless it is 7 or 14 */
		slot = r->slots % 7 ? (i * 7 + 3) % r->slots : i;
		choose(r, slot);
		add(r, slot);
	}
	churner = beside(r, churn, roll(UINT32_MAX));
	use(r);
	die_and_be_refused(r, churner);
	if (!r->common->failed) {
		check_slots(r);
		check_state(r);
		tally(r);
	}
	leave(r);
	r->v.stuck = r->common->stuck;
	victim_end(&r->v);
}

static void worker(unsigned int number, uint32_t seed, time_t seconds)
{
	struct round r = { .worker = number, .common = shared(sizeof(*r.common)) };
	struct timespec now;

	dice = (seed + number * 2654435761u) | 1;
	do {
		one_round(&r);
		r.number++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!r.common->failed &&
		 (r.number < ROUNDS || now.tv_sec < seconds));
	_exit(r.common->failed);
}

static void load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
		die(path);
	close(fd);
}

static void show(const char *name, uint64_t value)
{
	printf("soak %s %llu\n", name, (unsigned long long)value);
}

int main(int argc, char **argv)
{
	struct mn_kit_info info;
	struct timespec now;
	unsigned int i, n;
	uint32_t seed;
	int ctl;

	if (argc != 5) {
		fprintf(stderr, "usage: mn-soak MODULE WORKERS SECONDS SEED\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	load(argv[1]);
	n = atoi(argv[2]);
	seed = atoi(argv[4]);
	if (!n || n > MAX_WORKERS)
		n = MAX_WORKERS;
	ctl = open("/dev/mn_kit", O_RDWR | O_CLOEXEC);
	if (ctl < 0 || ioctl(ctl, MN_KIT_INFO, &info) ||
	    info.version != MN_KIT_VERSION)
		die("/dev/mn_kit");
	features = info.features;
	totals = shared(sizeof(*totals));
	signal(SIGPIPE, SIG_IGN);
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			worker(i, seed, now.tv_sec + atoi(argv[3]));
	}
	for (i = 0; i < n; i++) {
		int status;

		if (wait(&status) < 0 || (status && !totals->failures))
			count(&totals->failures, 1);
	}
	show("rounds", totals->rounds);
	show("oom_kills", totals->oom_kills);
	show("refused_reaps", totals->reaps);
	show("refused_ranges", totals->ranges);
	show("pairs", totals->pairs);
	show("actions", totals->actions);
	show("added", totals->added);
	show("removed", totals->removed);
	show("reads", totals->read);
	show("failures", totals->failures);
	return totals->failures ? 1 : 0;
}
