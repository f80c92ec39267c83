// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reap the memory of a dying process that has an HMM mirror, while an hlist
 * notifier of the same mm refuses some of it (HMM_DMIRROR_REFUSE).
 *
 * The victim is a child that the test traces.  After SIGKILL it stops in exit
 * and keeps its mm, so the OOM reaper and process_mrelease(2) can reap the mm
 * until the test lets the victim go.
 *
 * If a kernel starts a range and never ends it, an ioctl() of the device, or
 * its last close(), never returns.  So each ioctl() runs in a child, with a time
 * limit, and the test never closes the device last.  After the first stuck task
 * all other tests are skipped.
 */
#include "../kselftest_harness.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <lib/test_hmm_uapi.h>	/* private to the module, so not in include/uapi */

#define DEVICE		"/dev/hmm_dmirror0"
#define CGROUP_ROOT	"/sys/fs/cgroup"
#define CGROUP		CGROUP_ROOT "/hmm_reap_test"
#define HOG_SIZE	(256UL << 20)

#define STUCK_MS	60000	/* a call takes milliseconds on a fast machine */
#define TEST_SECONDS	120	/* STUCK_MS is used up once, by the stuck test */
#define POLL_US		30000	/* the OOM reaper sends no event */

#define VMAS		3
#define PAGES		4	/* of each VMA; the second half is on the device */
#define HALF		(PAGES / 2)

enum action { DISCARD, CLOSE, MPROTECT_ZERO, JOIN_CGROUP, HOG };

enum state {
	MIRRORED,	/* the victim and the mirror have the pages */
	INVALIDATED,	/* the victim has them, the mirror has to fault them in */
	DISCARDED,	/* neither has any, a fault allocates a new page */
	REAPED,		/* neither has any, a fault fails */
};

/* Shared by all processes of all tests, at one address */
static struct shared {
	const char *stuck;	/* the call that did not return, in any test */
	bool unfinished;	/* a test has begun and has not ended */
	struct hmm_dmirror_cmd cmd;
	struct hmm_dmirror_refusals count;
	enum action action;	/* of the victim, and what it returned */
	int ret;
	char *vma[VMAS];	/* addresses in the victim */
	unsigned char perms[PAGES];
	char data[];		/* PAGES pages */
} *shared;

static struct {
	pid_t pid;
	int pidfd;
	int dev;		/* the test's file descriptor of the device */
} victim;

static size_t page_size;
static char *zero;		/* the page at address 0, if it is mapped */

static void __attribute__((constructor)) map_shared(void)
{
	page_size = sysconf(_SC_PAGESIZE);
	shared = mmap(NULL, sizeof(*shared) + PAGES * page_size,
		      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		exit(KSFT_FAIL);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), ret = write(fd, text, strlen(text));

	close(fd);
	return ret < 0 ? -1 : 0;
}

/*
 * Keep one file, as file descriptor 0.  The test runner waits until its pipe
 * has no writer left, so a task that may get stuck must not hold the pipe.
 */
static void keep_only(int fd)
{
	if (dup2(fd, 0) < 0 || syscall(__NR_close_range, 1, ~0U, 0))
		_exit(EBADF);
}

/* Returns the negated exit status, or -EINTR after a signal */
static int wait_exit(pid_t pid, const char *call)
{
	struct pollfd pfd = { .events = POLLIN };
	int status;

	if (shared->stuck)
		return -ETIME;
	pfd.fd = syscall(__NR_pidfd_open, pid, 0);
	if (pfd.fd < 0)
		return -errno;
	if (poll(&pfd, 1, STUCK_MS) != 1) {
		shared->stuck = call;
		ksft_print_msg("%s does not return\n", call);
		return -ETIME;
	}
	close(pfd.fd);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static char pattern(int vma, int page)
{
	return 'A' + vma * PAGES + page;
}

static int victim_act(void)
{
	int i, ret = 0;

	switch (shared->action) {
	case DISCARD:
		for (i = 0; i < VMAS && !ret; i++)
			ret = madvise(shared->vma[i], PAGES * page_size,
				      MADV_DONTNEED);
		return ret;
	case CLOSE:
		return close(0);
	case MPROTECT_ZERO:
		memset(zero, 1, page_size);	/* or there is nothing to change */
		return mprotect(zero, page_size, PROT_READ);
	case JOIN_CGROUP:
		if (write_file("/proc/self/oom_score_adj", "0"))
			return -1;
		return write_file(CGROUP "/cgroup.procs", "0");
	case HOG:
		memset(mmap(NULL, HOG_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, HOG_SIZE);
	}
	_exit(1);	/* no OOM kill: the test sees an exit without SIGKILL */
}

static void victim_main(void)
{
	size_t size = PAGES * page_size;
	int i, page, ret = 0;
	char *area;

	keep_only(open(DEVICE, O_RDWR));
	/* The holes between the VMAs prevent a merge */
	area = mmap(NULL, 2 * VMAS * size, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < VMAS; i++) {
		shared->vma[i] = area + 2 * i * size;
		mprotect(shared->vma[i], size, PROT_READ | PROT_WRITE);
		for (page = 0; page < PAGES; page++)
			memset(shared->vma[i] + page * page_size,
			       pattern(i, page), page_size);
	}
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	do {
		shared->ret = ret ? -errno : 0;
		raise(SIGSTOP);
		ret = victim_act();
	} while (1);
}

static int victim_wait_stop(int event)
{
	int status;

	if (waitpid(victim.pid, &status, 0) < 0 || status >> 8 != event)
		return -ECHILD;
	return 0;
}

static int victim_start(void)
{
	victim.pid = fork();
	if (!victim.pid)
		victim_main();
	if (victim_wait_stop(SIGSTOP))
		return -ECHILD;
	victim.pidfd = syscall(__NR_pidfd_open, victim.pid, 0);
	victim.dev = syscall(__NR_pidfd_getfd, victim.pidfd, 0, 0);
	if (victim.dev < 0 ||
	    ptrace(PTRACE_SETOPTIONS, victim.pid, NULL,
		   PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL))
		return -errno;
	return 0;
}

static void victim_continue(enum action action)
{
	shared->action = action;
	ptrace(PTRACE_CONT, victim.pid, NULL, NULL);
}

static int victim_do(enum action action)
{
	victim_continue(action);
	return victim_wait_stop(SIGSTOP) ? -ECHILD : shared->ret;
}

/* Wait until SIGKILL stops the victim in exit */
static int victim_wait_exit_stop(void)
{
	unsigned long code;

	if (victim_wait_stop(SIGTRAP | PTRACE_EVENT_EXIT << 8) ||
	    ptrace(PTRACE_GETEVENTMSG, victim.pid, NULL, &code))
		return -ECHILD;
	return WIFSIGNALED(code) && WTERMSIG(code) == SIGKILL ? 0 : -EINVAL;
}

static int victim_kill(void)
{
	return kill(victim.pid, SIGKILL) ? -errno : victim_wait_exit_stop();
}

static int victim_mrelease(void)
{
	return syscall(__NR_process_mrelease, victim.pidfd, 0) ? -errno : 0;
}

/* Let the victim exit.  Returns -EINTR, because SIGKILL ended it. */
static int victim_exit(void)
{
	ptrace(PTRACE_DETACH, victim.pid, NULL, NULL);
	return wait_exit(victim.pid, "exit of the victim");
}

static int device_do(unsigned long request, char *addr, size_t npages, void *ptr)
{
	pid_t pid;

	shared->cmd = (struct hmm_dmirror_cmd) {
		.addr = (uintptr_t)addr,
		.npages = npages,
		.ptr = (uintptr_t)ptr,
	};
	pid = fork();
	if (!pid) {
		keep_only(victim.dev);
		_exit(ioctl(0, request, &shared->cmd) ? errno : 0);
	}
	return wait_exit(pid, "ioctl() of the device");
}

/* Have a child that closes the device after the test does */
static int device_close(void)
{
	pid_t pid = fork();

	if (!pid) {
		keep_only(victim.dev);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, WUNTRACED);
	close(victim.dev);
	victim.dev = -1;
	kill(pid, SIGCONT);
	return wait_exit(pid, "close() of the device");
}

/* Refuse @n VMAs from @first on, none if @n is 0.  Also gets the counts so far. */
static int device_refuse(int first, int n)
{
	size_t npages = n ? (2 * n - 1) * PAGES : 0;	/* with the holes */

	return device_do(HMM_DMIRROR_REFUSE, n ? shared->vma[first] : NULL,
			 npages, &shared->count);
}

static void expect_vma(struct __test_metadata *_metadata, int vma,
		       enum state state)
{
	bool present = state == MIRRORED || state == INVALIDATED;
	bool faults = state == INVALIDATED || state == DISCARDED;
	int page, perm, ret;

	memset(shared->perms, HMM_DMIRROR_PROT_ERROR, PAGES);
	ASSERT_EQ(0, device_do(HMM_DMIRROR_SNAPSHOT, shared->vma[vma], PAGES,
			       shared->perms));
	for (page = 0; page < PAGES; page++) {
		perm = present ? HMM_DMIRROR_PROT_WRITE : HMM_DMIRROR_PROT_NONE;
		if (present && page >= HALF)
			perm |= HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL;
		shared->data[0] = 0;
		ret = device_do(HMM_DMIRROR_READ,
				shared->vma[vma] + page * page_size, 1,
				shared->data);
		ASSERT_NE(-ETIME, ret);
		EXPECT_TRUE(shared->perms[page] == perm &&
			    ret == (state == REAPED ? -EFAULT : 0) &&
			    shared->data[0] == (present ? pattern(vma, page) : 0) &&
			    !!shared->cmd.faults == faults) {
			TH_LOG("VMA %d page %d state %d: perms %#x, read %d, data %d, faults %d",
			       vma, page, state, shared->perms[page], ret,
			       shared->data[0], (int)shared->cmd.faults);
		}
	}
}

/* Each range that was started was ended once, and no other range was */
static void expect_pairs(struct __test_metadata *_metadata)
{
	EXPECT_LT(0, shared->count.started);
	EXPECT_EQ(shared->count.started, shared->count.ended);
}

static const char *make_cgroup(void)
{
	write_file(CGROUP_ROOT "/cgroup.subtree_control", "+memory");
	mkdir(CGROUP, 0755);
	write_file(CGROUP "/memory.swap.max", "0");
	if (!write_file(CGROUP "/memory.max", "16M"))
		return NULL;
	rmdir(CGROUP);
	return "no memory controller in " CGROUP_ROOT;
}

/* The victim inherits the mapping */
static const char *map_zero(void)
{
	zero = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return zero == MAP_FAILED ? "cannot map address 0" : NULL;
}

static void set_up(struct __test_metadata *_metadata,
		   const char *(*prepare)(void))
{
	const char *why = NULL;
	int i;

	if (shared->stuck)
		why = "an earlier test left a stuck task";
	else if (shared->unfinished)
		why = "an earlier test did not finish";
	else if (access(DEVICE, R_OK | W_OK))
		why = "no access to " DEVICE ": needs root and test_hmm";
	else if (prepare)
		why = prepare();
	if (why)
#ifdef BASE_NO_SETUP_SKIP
		SKIP(_exit(255), "%s", why);
#else
		SKIP(return, "%s", why);
#endif

	shared->unfinished = true;
	ASSERT_EQ(0, victim_start());
	for (i = 0; i < VMAS; i++) {
		ASSERT_EQ(0, device_do(HMM_DMIRROR_READ, shared->vma[i], PAGES,
				       shared->data));
		ASSERT_EQ(0, device_do(HMM_DMIRROR_MIGRATE_TO_DEV,
				       shared->vma[i] + HALF * page_size, HALF,
				       shared->data));
	}
}

/* The victim, if it is left, dies with the test */
static void tear_down(void)
{
	if (victim.dev >= 0)
		device_close();
	rmdir(CGROUP);
	shared->unfinished = false;
}

FIXTURE(refused_reap) {};

FIXTURE_VARIANT(refused_reap)
{
	bool oom;
	int first;	/* of @n VMAs that are refused */
	int n;
	enum { BEFORE_EXIT, IN_EXIT, AFTER_EXIT } last_close;
};

FIXTURE_VARIANT_ADD(refused_reap, mrelease_first) { false, 0, 1, BEFORE_EXIT };
FIXTURE_VARIANT_ADD(refused_reap, mrelease_middle) { false, 1, 1, IN_EXIT };
FIXTURE_VARIANT_ADD(refused_reap, mrelease_last) { false, 2, 1, AFTER_EXIT };
FIXTURE_VARIANT_ADD(refused_reap, mrelease_all) { false, 0, VMAS, IN_EXIT };
FIXTURE_VARIANT_ADD(refused_reap, oom_first) { true, 0, 1, BEFORE_EXIT };
FIXTURE_VARIANT_ADD(refused_reap, oom_middle) { true, 1, 1, IN_EXIT };
FIXTURE_VARIANT_ADD(refused_reap, oom_last) { true, 2, 1, AFTER_EXIT };
FIXTURE_VARIANT_ADD(refused_reap, oom_all) { true, 0, VMAS, IN_EXIT };

FIXTURE_SETUP(refused_reap)
{
	set_up(_metadata, variant->oom ? make_cgroup : NULL);
}

FIXTURE_TEARDOWN(refused_reap)
{
	tear_down();
}

TEST_F_TIMEOUT(refused_reap, rest_is_reaped, TEST_SECONDS)
{
	const int first = variant->first, n = variant->n;
	const int refusals = 2 * n - 1;		/* each hole is a VMA */
	int i, ret;

	for (i = 0; i < VMAS; i++)
		expect_vma(_metadata, i, MIRRORED);
	ASSERT_EQ(0, device_refuse(first, n));
	if (variant->last_close == BEFORE_EXIT)
		ASSERT_EQ(0, victim_do(CLOSE));

	if (variant->oom) {
		ASSERT_EQ(0, victim_do(JOIN_CGROUP));
		victim_continue(HOG);
		ASSERT_EQ(0, victim_wait_exit_stop());
		/* A second pass of the OOM reaper begins after a whole one */
		do {
			usleep(POLL_US);
			ASSERT_EQ(0, device_refuse(first, n));
		} while (shared->count.refused <= refusals);
	} else {
		ASSERT_EQ(0, victim_kill());
		EXPECT_EQ(-EAGAIN, victim_mrelease());
		ASSERT_EQ(0, device_refuse(first, n));
		EXPECT_EQ(refusals, shared->count.refused);
		expect_pairs(_metadata);
	}
	for (i = 0; i < VMAS; i++)
		expect_vma(_metadata, i, i >= first && i < first + n ?
			   INVALIDATED : REAPED);

	if (variant->oom) {
		/* After its last pass the OOM reaper leaves nothing to reap */
		while ((ret = victim_mrelease()) == -EAGAIN)
			usleep(POLL_US);
		EXPECT_EQ(0, ret);
	} else {
		ASSERT_EQ(0, device_refuse(0, 0));
		EXPECT_EQ(0, victim_mrelease());
		for (i = 0; i < VMAS; i++)
			expect_vma(_metadata, i, REAPED);
	}
	ASSERT_EQ(0, device_refuse(first, n));
	expect_pairs(_metadata);

	if (variant->last_close != AFTER_EXIT)
		EXPECT_EQ(0, device_close());
	EXPECT_EQ(-EINTR, victim_exit());
	if (variant->last_close == AFTER_EXIT)
		EXPECT_EQ(0, device_close());
}

FIXTURE(blockable_range) {};

FIXTURE_VARIANT(blockable_range)
{
	enum action action;
};

FIXTURE_VARIANT_ADD(blockable_range, dontneed) { DISCARD };
FIXTURE_VARIANT_ADD(blockable_range, mprotect_at_zero) { MPROTECT_ZERO };

FIXTURE_SETUP(blockable_range)
{
	set_up(_metadata, variant->action == MPROTECT_ZERO ? map_zero : NULL);
}

FIXTURE_TEARDOWN(blockable_range)
{
	tear_down();
}

TEST_F_TIMEOUT(blockable_range, is_paired_and_not_refused, TEST_SECONDS)
{
	int i;

	ASSERT_EQ(0, device_refuse(0, VMAS));
	ASSERT_EQ(0, victim_do(variant->action));
	ASSERT_EQ(0, device_refuse(0, VMAS));
	EXPECT_EQ(0, shared->count.refused);
	expect_pairs(_metadata);
	for (i = 0; i < VMAS && variant->action == DISCARD; i++)
		expect_vma(_metadata, i, DISCARDED);
	EXPECT_EQ(0, device_close());
	ASSERT_EQ(0, victim_kill());
	EXPECT_EQ(-EINTR, victim_exit());
}

TEST_HARNESS_MAIN
