// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of hmm mirrors, with the mirror test device of lib/test_hmm.c.
 *
 * Each test forks a victim. The victim attaches its mm to the device and then
 * executes orders from a pipe. The test checks the calls that mirrors get.
 *
 * Only the OOM reaper and process_mrelease() start non-blocking ranges. A
 * traced victim stops in its exit while it still has its mm, so they cannot be
 * late. Without process_mrelease(), most tests use the OOM reaper instead.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
/* As in the other tests, this is not a header for user space */
#include "../../../../lib/test_hmm_uapi.h"

#ifndef __NR_pidfd_open
#define __NR_pidfd_open		434
#endif
#ifndef __NR_process_mrelease
#define __NR_process_mrelease	448
#endif
#ifndef PTRACE_EVENT_EXIT
#define PTRACE_EVENT_EXIT	6
#endif
/* Harnesses up to v5.7 have no skip: print it and pass */
#ifndef SKIP
#define SKIP(statement, fmt, ...) do { \
	TH_LOG("SKIP " fmt, ##__VA_ARGS__); \
	statement; \
} while (0)
#endif

#define DEVICE		"/dev/test_hmm_mirror"
#define CGROUP_ROOT	"/sys/fs/cgroup"
#define CGROUP		CGROUP_ROOT "/hmm_mirror_tests"
#define CGROUP_LIMIT	"16777216"
#define PAGES		12
#define TIMEOUT_MS	10000
#define BLOCKABLE	1		/* bit of test_mirror_record.flags */

/* Orders to a victim */
enum {
	DISCARD,
	PROTECT,
#ifdef BASE_NO_KIT
	PROTECT_ZERO,
#endif
	UNMAP,
	FORK,
	HOG,
	LEAVE,
};

struct order {
	int what;
	int first;		/* page */
	int last;		/* first page after the range */
};

FIXTURE(hmm_mirror)
{
	char *map;
	size_t page;
	pid_t pid;
	int dev;
	int order;		/* pipe to the victim */
	int answer;		/* pipe from the victim */
	int kmsg;
	bool stopped;		/* in its exit */
	bool gone;
};

static int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

static int hog(void)
{
	size_t len = 256 << 20;
	char *mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* The OOM killer kills the victim here, or the order fails */
	if (mem != MAP_FAILED)
		memset(mem, 1, len);
	return -1;
}

#ifdef BASE_NO_KIT
static int read_zero(char *to, size_t len)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int ret = read(fd, to, len) == (ssize_t)len ? 0 : -1;

	close(fd);
	return ret;
}

/* The last page is populated, too: it may be in another page table */
static int protect_zero(size_t page)
{
	size_t len = 4 << 20;
	char *map = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (map)
		return -1;
	/* By read(): a compiler may drop a write to NULL */
	if (read_zero(map, page) || read_zero(map + len - page, page))
		return -1;
	return mprotect(map, len, PROT_READ);
}

#endif
static int fork_child(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static int obey(struct _test_data_hmm_mirror *self, const struct order *order)
{
	char *start = self->map + order->first * self->page;
	size_t len = (order->last - order->first) * self->page;

	switch (order->what) {
	case DISCARD:
		return madvise(start, len, MADV_DONTNEED);
	case PROTECT:
		return mprotect(start, len, PROT_READ);
#ifdef BASE_NO_KIT
	case PROTECT_ZERO:
		return protect_zero(self->page);
#endif
	case UNMAP:
		return munmap(start, len);
	case FORK:
		return fork_child();
	case HOG:
		return hog();
	default:
		_exit(0);
	}
}

static void victim(struct _test_data_hmm_mirror *self, int orders, int answers)
{
	struct order order = { DISCARD, 0, 0 };
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(self->map, 1, PAGES * self->page);
	/* Copy what fork() left shared before the first test */
	obey(self, &order);
	ret = ioctl(self->dev, TEST_MIRROR_ATTACH);
	do {
		ret = ret ? errno : 0;
		if (write(answers, &ret, sizeof(ret)) != sizeof(ret) ||
		    read(orders, &order, sizeof(order)) != sizeof(order))
			_exit(1);
		ret = obey(self, &order);
	} while (1);
}

static int answer(struct _test_data_hmm_mirror *self)
{
	int ret;

	return read(self->answer, &ret, sizeof(ret)) == sizeof(ret) ? ret : EPIPE;
}

static int tell(struct _test_data_hmm_mirror *self, int what, int first, int last)
{
	struct order order = { what, first, last };

	return write(self->order, &order, sizeof(order)) == sizeof(order) ? 0 : errno;
}

static int make(struct _test_data_hmm_mirror *self, int what, int first, int last)
{
	int ret = tell(self, what, first, last);

	return ret ? ret : answer(self);
}

FIXTURE_SETUP(hmm_mirror)
{
	int orders[2], answers[2];

	memset(self, 0, sizeof(*self));
	self->page = sysconf(_SC_PAGESIZE);
	self->dev = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (self->dev < 0 && errno == ENOENT)
		SKIP(exit(255), "%s does not exist: CONFIG_TEST_HMM", DEVICE);
	ASSERT_LE(0, self->dev);
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);

	self->map = mmap(NULL, PAGES * self->page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_EQ(0, pipe(orders));
	ASSERT_EQ(0, pipe(answers));
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid) {
		close(orders[1]);
		close(answers[0]);
		victim(self, orders[0], answers[1]);
	}
	close(orders[0]);
	close(answers[1]);
	self->order = orders[1];
	self->answer = answers[0];
	ASSERT_EQ(0, answer(self));
}

static void let_it_exit(struct _test_data_hmm_mirror *self)
{
	if (self->gone)
		return;
	if (self->stopped)
		ptrace(PTRACE_DETACH, self->pid, 0, 0);
	waitpid(self->pid, NULL, __WALL);
	self->gone = true;
}

FIXTURE_TEARDOWN(hmm_mirror)
{
	unsigned int i;

	for (i = 0; i < TEST_MIRROR_SLOTS; i++)
		ioctl(self->dev, TEST_MIRROR_LET_GO, &i);
	if (!self->gone)
		kill(self->pid, SIGKILL);
	let_it_exit(self);
	close(self->dev);
	close(self->kmsg);
	close(self->order);
	close(self->answer);
	rmdir(CGROUP);
}

/* Slots: each has the return values of its callback */

static int add(struct _test_data_hmm_mirror *self, int index, int kind, int flags,
	       int ret)
{
	struct test_mirror_slot slot = {
		.index = index,
		.kind = kind,
		.flags = flags,
		.ret = ret,
	};

	return ioctl(self->dev, TEST_MIRROR_SLOT_ADD, &slot) ? errno : 0;
}

static int set(struct _test_data_hmm_mirror *self, int index, int kind, int flags,
	       int ret, int ret_blockable)
{
	struct test_mirror_slot slot = {
		.index = index,
		.kind = kind,
		.flags = flags,
		.ret = ret,
		.ret_blockable = ret_blockable,
	};

	return ioctl(self->dev, TEST_MIRROR_SLOT_SET, &slot) ? errno : 0;
}

static struct test_mirror_log get_log(struct _test_data_hmm_mirror *self, int index)
{
	struct test_mirror_log log = { .index = index };

	/* No test can take this for something it expects */
	if (ioctl(self->dev, TEST_MIRROR_LOG, &log))
		memset(&log, -1, sizeof(log));
	return log;
}

static int wait_calls(struct _test_data_hmm_mirror *self, int index, int calls)
{
	struct test_mirror_wait wait = {
		.index = index,
		.calls = calls,
		.timeout_ms = TIMEOUT_MS,
	};

	return ioctl(self->dev, TEST_MIRROR_WAIT, &wait) ? errno : 0;
}

static long long notifiers(struct _test_data_hmm_mirror *self)
{
	struct test_mirror_state state;

	return ioctl(self->dev, TEST_MIRROR_STATE, &state) ? -1000 : state.notifiers;
}

/* Ranges: 1 is valid, 0 is not, and a negative errno */

static int range_do(struct _test_data_hmm_mirror *self, unsigned long cmd, int index,
		    int timeout_ms)
{
	struct test_mirror_range range = {
		.index = index,
		.timeout_ms = timeout_ms,
	};

	return ioctl(self->dev, cmd, &range) ? -errno : (int)range.valid;
}

static int range_add(struct _test_data_hmm_mirror *self, int index, int slot,
		     int first, int last)
{
	struct test_mirror_range range = {
		.index = index,
		.slot = slot,
		.start = (unsigned long)self->map + first * self->page,
		.end = (unsigned long)self->map + last * self->page,
	};

	return ioctl(self->dev, TEST_MIRROR_RANGE_ADD, &range) ? -errno : (int)range.valid;
}

static int is_valid(struct _test_data_hmm_mirror *self, int index)
{
	return range_do(self, TEST_MIRROR_RANGE_VALID, index, 0);
}

static int wait_valid(struct _test_data_hmm_mirror *self, int index, int timeout_ms)
{
	return range_do(self, TEST_MIRROR_RANGE_WAIT, index, timeout_ms);
}

/* The kernel's log since the test began */

static int count_reports(struct _test_data_hmm_mirror *self, const char *one,
			 const char *two)
{
	char record[8192];
	int found = 0;
	ssize_t n;

	while ((n = read(self->kmsg, record, sizeof(record) - 1)) > 0 ||
	       (n < 0 && errno == EPIPE)) {
		record[n > 0 ? n : 0] = 0;
		if (strstr(record, one) && strstr(record, two))
			found++;
	}
	return found;
}

/* Let WARN_ONCE() and its like report again */
static bool report_again(void)
{
	int fd = open("/sys/kernel/debug/clear_warn_once", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, "1", 1) == 1;

	if (fd >= 0)
		close(fd);
	return done;
}

/* Reaping */

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* Wait for the victim to stop in its exit */
static bool stops(struct _test_data_hmm_mirror *self)
{
	int status;

	while (waitpid(self->pid, &status, __WALL) == self->pid) {
		if (!WIFSTOPPED(status)) {
			self->gone = true;
			return false;
		}
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
			self->stopped = true;
			return true;
		}
		ptrace(PTRACE_CONT, self->pid, 0, 0);
	}
	return false;
}

static bool trace(struct _test_data_hmm_mirror *self)
{
	return !ptrace(PTRACE_SEIZE, self->pid, 0, PTRACE_O_TRACEEXIT);
}

static bool can_oom(struct _test_data_hmm_mirror *self)
{
	char pid[16];

	/* Fails if it is handed down already, in some other hierarchy */
	write_file(CGROUP_ROOT "/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		return false;
	write_file(CGROUP "/memory.swap.max", "0");
	snprintf(pid, sizeof(pid), "%d", self->pid);
	return write_file(CGROUP "/memory.max", CGROUP_LIMIT) &&
	       write_file(CGROUP "/cgroup.procs", pid);
}

/* The OOM reaper logs its result: 0 if it reaped, -EAGAIN if it gave up */
static int oom_kill(struct _test_data_hmm_mirror *self)
{
	struct pollfd pfd = { .fd = kmsg_open(), .events = POLLIN };
	char record[8192], reaped[64], gave_up[64];
	int left = 20, ret = -ETIMEDOUT;
	ssize_t n;

	if (!trace(self) || tell(self, HOG, 0, 0) || !stops(self))
		left = 0;
	snprintf(reaped, sizeof(reaped), "oom_reaper: reaped process %d ", self->pid);
	snprintf(gave_up, sizeof(gave_up), "oom_reaper: unable to reap pid:%d ",
		 self->pid);
	while (left && ret == -ETIMEDOUT) {
		n = read(pfd.fd, record, sizeof(record) - 1);
		if (n <= 0) {
			left -= !poll(&pfd, 1, 1000);
			continue;
		}
		record[n] = 0;
		if (strstr(record, reaped))
			ret = 0;
		else if (strstr(record, gave_up))
			ret = -EAGAIN;
	}
	close(pfd.fd);
	return ret;
}

static int mrelease(struct _test_data_hmm_mirror *self)
{
	int pidfd = syscall(__NR_pidfd_open, self->pid, 0), ret;

	if (pidfd < 0)
		return -errno;
	ret = syscall(__NR_process_mrelease, pidfd, 0) ? -errno : 0;
	close(pidfd);
	return ret;
}

static bool have_mrelease(void)
{
	return syscall(__NR_process_mrelease, -1, 0) && errno == EBADF;
}

/* Reap the victim's memory, by non-blocking ranges */
static int reap(struct _test_data_hmm_mirror *self)
{
	if (!have_mrelease())
		return can_oom(self) ? oom_kill(self) : -ENODEV;
	if (!self->stopped &&
	    (!trace(self) || kill(self->pid, SIGKILL) || !stops(self)))
		return -ESRCH;
	return mrelease(self);
}

/* No range is open, and no task has to wait for one */
static void expect_idle(struct __test_metadata *_metadata,
			struct _test_data_hmm_mirror *self)
{
	EXPECT_EQ(0, notifiers(self));
	EXPECT_EQ(1, is_valid(self, 0));
	EXPECT_EQ(1, wait_valid(self, 0, 100));
}

/* Two slots were called for the same ranges */
static void expect_same(struct __test_metadata *_metadata,
			struct _test_data_hmm_mirror *self, int one, int two)
{
	struct test_mirror_log a = get_log(self, one), b = get_log(self, two);

	EXPECT_EQ(a.calls, b.calls);
	EXPECT_EQ(a.blockable, b.blockable);
	ASSERT_EQ(a.records, b.records);
	EXPECT_EQ(0, memcmp(a.record, b.record, sizeof(a.record)));
}

static bool has_seen(struct _test_data_hmm_mirror *self, int index, int first,
		     int last, int flags)
{
	struct test_mirror_log log = get_log(self, index);
	unsigned long map = (unsigned long)self->map;
	unsigned int i;

	for (i = 0; i < log.records && i < TEST_MIRROR_RECORDS; i++)
		if (log.record[i].start == map + first * self->page &&
		    log.record[i].end == map + last * self->page &&
		    log.record[i].flags == (unsigned int)flags)
			return true;
	return false;
}

/* Blockable ranges */

TEST_F(hmm_mirror, sees_the_range_the_core_passed)
{
	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_HLIST, 0, 0));

	ASSERT_EQ(0, make(self, DISCARD, 2, 5));
	EXPECT_TRUE(has_seen(self, 0, 2, 5, BLOCKABLE));
	ASSERT_EQ(0, make(self, PROTECT, 6, 7));
	ASSERT_EQ(0, make(self, UNMAP, 8, 10));
	ASSERT_EQ(0, make(self, FORK, 0, 0));

	expect_same(_metadata, self, 0, 1);
	EXPECT_LE(4, get_log(self, 0).calls);
	EXPECT_EQ(get_log(self, 0).calls, get_log(self, 0).blockable);
	EXPECT_EQ(get_log(self, 1).calls, get_log(self, 1).ends);
	EXPECT_EQ(0, notifiers(self));
}

TEST_F(hmm_mirror, all_mirrors_see_a_range)
{
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, add(self, i, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, make(self, DISCARD, 2, 5));
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(has_seen(self, i, 2, 5, BLOCKABLE));
		EXPECT_EQ(1, get_log(self, i).calls);
	}
	EXPECT_EQ(0, notifiers(self));
}

TEST_F(hmm_mirror, removed_mirror_sees_nothing)
{
	int one = 1;

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, ioctl(self->dev, TEST_MIRROR_SLOT_REMOVE, &one));
	ASSERT_EQ(0, make(self, DISCARD, 2, 5));
	EXPECT_EQ(1, get_log(self, 0).calls);

	/* The last one goes, and hmm with it; then there is a new one */
	one = 0;
	ASSERT_EQ(0, ioctl(self->dev, TEST_MIRROR_SLOT_REMOVE, &one));
	ASSERT_EQ(0, make(self, DISCARD, 2, 5));
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, make(self, DISCARD, 2, 5));
	EXPECT_EQ(1, get_log(self, 1).calls);
	EXPECT_EQ(0, notifiers(self));
}

TEST_F(hmm_mirror, range_outlives_its_mirror)
{
	int zero = 0;

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	ASSERT_EQ(0, ioctl(self->dev, TEST_MIRROR_SLOT_REMOVE, &zero));
	ASSERT_EQ(0, make(self, DISCARD, 4, 5));
	EXPECT_EQ(1, wait_valid(self, 0, TIMEOUT_MS));
	/* It has kept hmm, so a new mirror finds the same one */
	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, TEST_MIRROR_HOLD, 0));
	ASSERT_EQ(0, tell(self, DISCARD, 4, 5));
	ASSERT_EQ(0, wait_calls(self, 0, 1));
	EXPECT_EQ(0, is_valid(self, 0));
	ASSERT_EQ(0, ioctl(self->dev, TEST_MIRROR_LET_GO, &zero));
	ASSERT_EQ(0, answer(self));
	expect_idle(_metadata, self);
	EXPECT_EQ(0, ioctl(self->dev, TEST_MIRROR_RANGE_REMOVE, &zero));
}

TEST_F(hmm_mirror, range_is_invalid_until_the_end)
{
	int zero = 0;

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, TEST_MIRROR_HOLD, 0));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	ASSERT_EQ(1, range_add(self, 1, 0, 10, 12));
	ASSERT_EQ(0, tell(self, DISCARD, 5, 6));
	ASSERT_EQ(0, wait_calls(self, 0, 1));

	EXPECT_EQ(1, notifiers(self));
	EXPECT_EQ(0, is_valid(self, 0));
	EXPECT_EQ(1, is_valid(self, 1));
	/* One that registers now cannot know what it has missed */
	EXPECT_EQ(0, range_add(self, 2, 0, 10, 12));
	EXPECT_EQ(0, wait_valid(self, 0, 1));

	ASSERT_EQ(0, ioctl(self->dev, TEST_MIRROR_LET_GO, &zero));
	ASSERT_EQ(0, answer(self));
	expect_idle(_metadata, self);
	EXPECT_EQ(1, is_valid(self, 1));
	EXPECT_EQ(1, is_valid(self, 2));
}

TEST_F(hmm_mirror, touched_range_stays_valid)
{
	int zero = 0;

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, TEST_MIRROR_HOLD, 0));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	ASSERT_EQ(1, range_add(self, 1, 0, 0, 4));
	ASSERT_EQ(1, range_add(self, 2, 0, 8, 12));
	ASSERT_EQ(0, tell(self, DISCARD, 4, 8));
	ASSERT_EQ(0, wait_calls(self, 0, 1));

	EXPECT_EQ(0, is_valid(self, 0));
	EXPECT_EQ(1, is_valid(self, 1));
	EXPECT_EQ(1, is_valid(self, 2));

	ASSERT_EQ(0, ioctl(self->dev, TEST_MIRROR_LET_GO, &zero));
	ASSERT_EQ(0, answer(self));
	expect_idle(_metadata, self);
}

TEST_F(hmm_mirror, waiter_is_woken)
{
	struct test_mirror_state state = { 0 };
	time_t deadline = time(NULL) + TIMEOUT_MS / 1000;
	int zero = 0, status;
	pid_t waiter;

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, TEST_MIRROR_HOLD, 0));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	ASSERT_EQ(0, tell(self, DISCARD, 5, 6));
	ASSERT_EQ(0, wait_calls(self, 0, 1));

	waiter = fork();
	if (!waiter)
		_exit(wait_valid(self, 0, TIMEOUT_MS));
	ASSERT_LT(0, waiter);
	while (!state.waiting && time(NULL) < deadline) {
		sched_yield();
		ASSERT_EQ(0, ioctl(self->dev, TEST_MIRROR_STATE, &state));
	}
	EXPECT_NE(0, state.waiting);
	EXPECT_EQ(0, waitpid(waiter, &status, WNOHANG));

	ASSERT_EQ(0, ioctl(self->dev, TEST_MIRROR_LET_GO, &zero));
	ASSERT_EQ(0, answer(self));
	ASSERT_EQ(waiter, waitpid(waiter, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(1, WEXITSTATUS(status));
	expect_idle(_metadata, self);
}

TEST_F(hmm_mirror, fault_of_an_invalid_range_is_busy)
{
	struct test_mirror_range range = { .index = 0 };
	int zero = 0;

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	ASSERT_EQ(0, ioctl(self->dev, TEST_MIRROR_RANGE_FAULT, &range));
	EXPECT_EQ(4, range.pages);

	ASSERT_EQ(0, set(self, 0, TEST_MIRROR_MIRROR, TEST_MIRROR_HOLD, 0, 0));
	ASSERT_EQ(0, tell(self, DISCARD, 5, 6));
	ASSERT_EQ(0, wait_calls(self, 0, 1));
	EXPECT_EQ(-1, ioctl(self->dev, TEST_MIRROR_RANGE_FAULT, &range));
	EXPECT_EQ(EBUSY, errno);

	ASSERT_EQ(0, ioctl(self->dev, TEST_MIRROR_LET_GO, &zero));
	ASSERT_EQ(0, answer(self));
	ASSERT_EQ(0, ioctl(self->dev, TEST_MIRROR_RANGE_FAULT, &range));
	EXPECT_EQ(4, range.pages);
}

TEST_F(hmm_mirror, error_on_a_blockable_range_is_dropped)
{
	bool again = report_again();
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, add(self, i, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	ASSERT_EQ(0, set(self, 1, TEST_MIRROR_MIRROR, 0, 0, -EINTR));
	ASSERT_EQ(0, make(self, DISCARD, 4, 5));
	ASSERT_EQ(0, make(self, DISCARD, 4, 5));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(2, get_log(self, i).calls);
	expect_idle(_metadata, self);

	if (again)
		EXPECT_EQ(1, count_reports(self, "test_mirror_sync",
					   "returned -4 for a blockable range"));
}

TEST_F(hmm_mirror, release_is_called_once_at_exit)
{
	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, tell(self, LEAVE, 0, 0));
	let_it_exit(self);
	EXPECT_EQ(1, get_log(self, 0).releases);
	EXPECT_EQ(1, get_log(self, 1).releases);
	EXPECT_EQ(0, notifiers(self));

	/* The mm has gone for good */
	EXPECT_EQ(ESRCH, add(self, 2, TEST_MIRROR_MIRROR, 0, 0));
	EXPECT_EQ(-EFAULT, range_add(self, 0, 0, 4, 8));
}

TEST_F(hmm_mirror, bad_input)
{
	struct test_mirror_slot slot = { .index = TEST_MIRROR_SLOTS };
	struct test_mirror_range range = { .index = 0 };
	int zero = 0, dev;

	EXPECT_EQ(-1, ioctl(self->dev, TEST_MIRROR_ATTACH));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(EINVAL, add(self, TEST_MIRROR_SLOTS, TEST_MIRROR_MIRROR, 0, 0));
	EXPECT_EQ(EINVAL, add(self, 0, TEST_MIRROR_HLIST + 1, 0, 0));
	EXPECT_EQ(EINVAL, add(self, 0, TEST_MIRROR_MIRROR, TEST_MIRROR_LOCK, 0));
	EXPECT_EQ(EINVAL, add(self, 0, TEST_MIRROR_HLIST,
			      TEST_MIRROR_ABOVE | TEST_MIRROR_BELOW, 0));
	EXPECT_EQ(ENOENT, add(self, 0, TEST_MIRROR_HLIST, TEST_MIRROR_ABOVE, 0));
	EXPECT_EQ(-1, ioctl(self->dev, TEST_MIRROR_SLOT_REMOVE, &zero));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(-1, ioctl(self->dev, TEST_MIRROR_SLOT_SET, &slot));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-ENOENT, range_add(self, 0, 0, 4, 8));

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	EXPECT_EQ(EBUSY, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	slot.index = 1;
	slot.reserved = 1;
	EXPECT_EQ(-1, ioctl(self->dev, TEST_MIRROR_SLOT_ADD, &slot));
	EXPECT_EQ(EINVAL, errno);

	/* hmm_range_register()'s own */
	EXPECT_EQ(-EINVAL, range_add(self, 0, 0, 4, 4));
	EXPECT_EQ(-EINVAL, range_add(self, 0, 0, 5, 4));
	range.start = (unsigned long)self->map + 1;
	range.end = range.start + self->page;
	EXPECT_EQ(-1, ioctl(self->dev, TEST_MIRROR_RANGE_ADD, &range));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-EINVAL, range_add(self, 0, 0, 0, TEST_MIRROR_PAGES + 1));
	EXPECT_EQ(-ENOENT, is_valid(self, 0));

	dev = open(DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, dev);
	EXPECT_EQ(-1, ioctl(dev, TEST_MIRROR_SLOT_REMOVE, &zero));
	EXPECT_EQ(EINVAL, errno);
	close(dev);
}

/* Non-blocking ranges */

TEST_F(hmm_mirror, sees_the_non_blocking_range_the_core_passed)
{
	struct test_mirror_log log;

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_HLIST, 0, 0));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	ASSERT_EQ(0, reap(self));
	if (have_mrelease())
		EXPECT_EQ(0, get_log(self, 0).blockable);
	log = get_log(self, 0);
	EXPECT_LT(log.blockable, log.calls);
	expect_same(_metadata, self, 0, 1);
	EXPECT_EQ(get_log(self, 1).calls, get_log(self, 1).ends);
	expect_idle(_metadata, self);
}

/* Three mirrors of which the one at @position in the order of calls refuses */
static void one_of_three(struct __test_metadata *_metadata,
			 struct _test_data_hmm_mirror *self, int position, int code)
{
	struct test_mirror_log logs[3];
	unsigned int places[3], refused;
	int i, j, rank[3], refuser = -1;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, add(self, i, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));

	/* In which order are they called? */
	ASSERT_EQ(0, make(self, DISCARD, 0, 1));
	for (i = 0; i < 3; i++)
		places[i] = get_log(self, i).place;
	for (i = 0; i < 3; i++) {
		for (rank[i] = 0, j = 0; j < 3; j++)
			rank[i] += places[j] < places[i];
		if (rank[i] == position)
			refuser = i;
	}
	ASSERT_LE(0, refuser);

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, set(self, i, TEST_MIRROR_MIRROR, 0,
				 i == refuser ? code : 0, 0));
	EXPECT_EQ(-EAGAIN, reap(self));

	for (i = 0; i < 3; i++)
		logs[i] = get_log(self, i);
	refused = logs[refuser].calls - logs[refuser].blockable;
	EXPECT_LT(0, refused);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(rank[i] <= position ? refused : 0,
			  logs[i].calls - logs[i].blockable);
	expect_idle(_metadata, self);
}

TEST_F(hmm_mirror, first_mirror_refuses)
{
	one_of_three(_metadata, self, 0, -EAGAIN);
}

TEST_F(hmm_mirror, middle_mirror_refuses)
{
	one_of_three(_metadata, self, 1, -EAGAIN);
}

TEST_F(hmm_mirror, last_mirror_refuses)
{
	one_of_three(_metadata, self, 2, -EAGAIN);
}

/* A code other than -EAGAIN refuses as well */
static void wrong_code(struct __test_metadata *_metadata,
		       struct _test_data_hmm_mirror *self, int code)
{
	bool again = report_again();
	char report[64];

	snprintf(report, sizeof(report), "returned %d for a non-blocking range", code);
	one_of_three(_metadata, self, 1, code);
	if (again)
		EXPECT_EQ(1, count_reports(self, "test_mirror_sync", report));
}

TEST_F(hmm_mirror, enomem_is_a_refusal)
{
	wrong_code(_metadata, self, -ENOMEM);
}

TEST_F(hmm_mirror, eintr_is_a_refusal)
{
	wrong_code(_metadata, self, -EINTR);
}

TEST_F(hmm_mirror, positive_code_is_a_refusal)
{
	wrong_code(_metadata, self, 1);
}

static void beside(struct __test_metadata *_metadata,
		   struct _test_data_hmm_mirror *self, int side)
{
	struct test_mirror_log mirror, refuser;
	int err;

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	err = add(self, 1, TEST_MIRROR_HLIST, side, -EAGAIN);
	if (err == ERANGE)
		SKIP(return, "no memory on that side of hmm's");
	ASSERT_EQ(0, err);
	EXPECT_EQ(-EAGAIN, reap(self));

	mirror = get_log(self, 0);
	refuser = get_log(self, 1);
	EXPECT_LT(0, refuser.calls - refuser.blockable);
	EXPECT_EQ(side == TEST_MIRROR_ABOVE ? refuser.calls - refuser.blockable : 0,
		  mirror.calls - mirror.blockable);
	/* It gets none for what it refused */
	EXPECT_EQ(refuser.blockable, refuser.ends);
	expect_idle(_metadata, self);
}

TEST_F(hmm_mirror, hlist_notifier_refuses_behind_hmm)
{
	beside(_metadata, self, TEST_MIRROR_ABOVE);
}

TEST_F(hmm_mirror, hlist_notifier_refuses_before_hmm)
{
	beside(_metadata, self, TEST_MIRROR_BELOW);
}

/* An hlist notifier holds a lock from start to end, and a mirror refuses */
static void lock_beside(struct __test_metadata *_metadata,
			struct _test_data_hmm_mirror *self, int side)
{
	struct test_mirror_log mirror, locker;
	int err;

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, -EAGAIN));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	err = add(self, 1, TEST_MIRROR_HLIST, side | TEST_MIRROR_LOCK, 0);
	if (err == ERANGE)
		SKIP(return, "no memory on that side of hmm's");
	ASSERT_EQ(0, err);
	EXPECT_EQ(-EAGAIN, reap(self));

	mirror = get_log(self, 0);
	locker = get_log(self, 1);
	EXPECT_EQ(side == TEST_MIRROR_BELOW ? mirror.calls - mirror.blockable : 0,
		  locker.calls - locker.blockable);
	EXPECT_EQ(locker.calls, locker.ends);
	EXPECT_EQ(0, locker.locked);
	expect_idle(_metadata, self);
}

TEST_F(hmm_mirror, lock_held_from_start_to_end_is_given_back)
{
	lock_beside(_metadata, self, TEST_MIRROR_BELOW);
}

TEST_F(hmm_mirror, lock_behind_a_refuser_is_not_taken)
{
	lock_beside(_metadata, self, TEST_MIRROR_ABOVE);
}

TEST_F(hmm_mirror, accepts_after_it_refused)
{
	if (!have_mrelease())
		SKIP(return, "no process_mrelease(): a victim is reaped once");
	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, -EAGAIN));
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	EXPECT_EQ(-EAGAIN, reap(self));
	expect_idle(_metadata, self);
	ASSERT_EQ(0, set(self, 0, TEST_MIRROR_MIRROR, 0, 0, 0));
	EXPECT_EQ(0, reap(self));
	expect_idle(_metadata, self);
}

TEST_F(hmm_mirror, victim_exits_after_refusals)
{
	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_MIRROR, 0, -EAGAIN));
	ASSERT_EQ(0, add(self, 2, TEST_MIRROR_HLIST, 0, -EAGAIN));
	EXPECT_EQ(-EAGAIN, reap(self));
	EXPECT_EQ(0, notifiers(self));
	let_it_exit(self);
	EXPECT_EQ(1, get_log(self, 0).releases);
	EXPECT_EQ(1, get_log(self, 1).releases);
}

/* A real OOM kill, in a memory cgroup */

TEST_F(hmm_mirror, oom_victim_is_reaped)
{
	if (!can_oom(self))
		SKIP(return, "no memory cgroup below " CGROUP_ROOT);
	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_HLIST, 0, 0));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	EXPECT_EQ(0, oom_kill(self));
	EXPECT_LT(get_log(self, 0).blockable, get_log(self, 0).calls);
	expect_same(_metadata, self, 0, 1);
	expect_idle(_metadata, self);
}

TEST_F(hmm_mirror, oom_reaper_gives_up_on_a_mirror)
{
	if (!can_oom(self))
		SKIP(return, "no memory cgroup below " CGROUP_ROOT);
	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_MIRROR, 0, -EAGAIN));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	EXPECT_EQ(-EAGAIN, oom_kill(self));
	EXPECT_LT(get_log(self, 1).blockable, get_log(self, 1).calls);
	expect_idle(_metadata, self);
}

TEST_F(hmm_mirror, oom_reaper_gives_up_on_an_hlist_notifier)
{
	if (!can_oom(self))
		SKIP(return, "no memory cgroup below " CGROUP_ROOT);
	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_HLIST, TEST_MIRROR_ABOVE, -EAGAIN));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	EXPECT_EQ(-EAGAIN, oom_kill(self));
	EXPECT_LT(get_log(self, 1).blockable, get_log(self, 1).calls);
	EXPECT_EQ(get_log(self, 1).blockable, get_log(self, 1).ends);
	expect_idle(_metadata, self);
}

#ifdef BASE_NO_KIT
/* What the mmu notifiers themselves promise, with hlist notifiers alone */

TEST_F(hmm_mirror, mprotect_at_zero_is_ended)
{
	struct test_mirror_log log;

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_HLIST, TEST_MIRROR_LOCK, 0));
	ASSERT_EQ(0, make(self, PROTECT_ZERO, 0, 0));
	log = get_log(self, 1);
	EXPECT_LT(0, (int)log.calls);
	EXPECT_EQ(log.calls, log.ends);
	EXPECT_EQ(0, (int)log.locked);
	EXPECT_EQ(0, notifiers(self));
}

TEST_F(hmm_mirror, hlist_error_on_a_blockable_range_counts_as_started)
{
	bool again = report_again();
	struct test_mirror_log log;

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_HLIST, TEST_MIRROR_ABOVE, 0));
	ASSERT_EQ(0, add(self, 2, TEST_MIRROR_HLIST, 0, 0));
	ASSERT_EQ(0, set(self, 1, TEST_MIRROR_HLIST, 0, 0, -EINTR));
	ASSERT_EQ(0, set(self, 2, TEST_MIRROR_HLIST, 0, 0, -EINTR));
	ASSERT_EQ(0, make(self, DISCARD, 4, 5));
	ASSERT_EQ(0, make(self, DISCARD, 4, 5));
	log = get_log(self, 1);
	EXPECT_EQ(2, (int)log.calls);
	EXPECT_EQ(2, (int)log.ends);
	log = get_log(self, 2);
	EXPECT_EQ(2, (int)log.calls);
	EXPECT_EQ(2, (int)log.ends);
	EXPECT_EQ(2, (int)get_log(self, 0).calls);
	EXPECT_EQ(0, notifiers(self));
	/* Four errors, one report */
	if (again)
		EXPECT_EQ(1, count_reports(self, "test_mirror_start",
					   "returned -4 for a blockable range"));
}

/* A wrong code of an hlist notifier is a refusal, and one report names it */
TEST_F(hmm_mirror, wrong_code_of_an_hlist_notifier_is_a_refusal)
{
	bool again = report_again();
	struct test_mirror_log locker, refuser;

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(1, range_add(self, 0, 0, 4, 8));
	/* vmalloc() memory is above any other */
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_HLIST, TEST_MIRROR_LOCK, 0));
	ASSERT_EQ(0, add(self, 2, TEST_MIRROR_HLIST, TEST_MIRROR_ABOVE, -ENOMEM));
	EXPECT_EQ(-EAGAIN, reap(self));
	locker = get_log(self, 1);
	refuser = get_log(self, 2);
	EXPECT_LT(0, (int)(refuser.calls - refuser.blockable));
	EXPECT_EQ(refuser.blockable, refuser.ends);
	EXPECT_EQ(locker.calls, locker.ends);
	EXPECT_EQ(0, (int)locker.locked);
	expect_idle(_metadata, self);
	if (again)
		EXPECT_EQ(1, count_reports(self, "test_mirror_start",
					   "returned -12 for a non-blocking range"));
}

TEST_F(hmm_mirror, refusals_log_nothing)
{
	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, 0));
	ASSERT_EQ(0, add(self, 1, TEST_MIRROR_HLIST, 0, -EAGAIN));
	EXPECT_EQ(-EAGAIN, reap(self));
	EXPECT_EQ(0, count_reports(self, "test_mirror_", ""));
}

TEST_F(hmm_mirror, refused_range_is_not_gathered_for)
{
	struct test_mirror_log log;

	ASSERT_EQ(0, add(self, 0, TEST_MIRROR_MIRROR, 0, -EAGAIN));
	EXPECT_EQ(-EAGAIN, reap(self));
	log = get_log(self, 0);
	EXPECT_LT(0, (int)(log.calls - log.blockable));
	EXPECT_EQ(0, (int)log.gathered);
}

#endif
TEST_HARNESS_MAIN
