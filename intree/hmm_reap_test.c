// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reap the memory of a dying process that is mirrored by a device, while a
 * notifier of the device refuses to have some of it invalidated without
 * sleeping.
 *
 * The victim is a child.  It is traced, so that after SIGKILL it stops in
 * exit: the OOM reaper and process_mrelease(2) may have its mm, which stays
 * until the victim is let go.
 *
 * Whoever calls the device, or closes it last, may sleep for ever on a kernel
 * that does not end what a refused range has started.  So the test itself never
 * has the device open: it tells a third process, the holder, what to do, and
 * waits for the answer no longer than TIMEOUT_MS.
 */
#include "../kselftest_harness.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
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

/*
 * This is a private UAPI to the kernel test module so it isn't exported
 * in the usual include/uapi/... directory.
 */
#include <lib/test_hmm_uapi.h>

/* For old C libraries; alpha, which has others, has no HMM */
#ifndef __NR_pidfd_open
#define __NR_pidfd_open		434
#endif
#ifndef __NR_pidfd_getfd
#define __NR_pidfd_getfd	438
#endif
#ifndef __NR_process_mrelease
#define __NR_process_mrelease	448
#endif

#define DEVICE		"/dev/hmm_dmirror0"
#define TIMEOUT_MS	10000
#define POLL_MS		100	/* where there is nothing to be woken by */
#define LOOK_MS		30	/* out of step with the OOM reaper, who only tries locks */
#define TEST_SECONDS	120	/* more than what can go wrong takes */

#define VMAS		3
#define PAGES		4	/* of each VMA, the latter half on the device */
/* What refusing @n VMAs comes to in one pass: the holes between are VMAs, too */
#define REFUSALS(n)	(2 * (n) - 1)

#define MEMORY_MAX	"16777216"
#define HOG_SIZE	(256UL << 20)

/* Requests to the holder that are no ioctl */
#define HOLD		0
#define CLOSE		1

enum victim_action {
	VICTIM_DISCARD = 'd',	/* madvise(MADV_DONTNEED) */
	VICTIM_CLOSE = 'c',	/* close the device */
	VICTIM_HOG = 'h',	/* use up the memory of the cgroup */
};

/* Seen by all three processes, at the same address */
struct shared {
	struct hmm_dmirror_cmd cmd;
	struct hmm_dmirror_refusals refusals;
	unsigned long request;
	int ret;		/* of the holder, or the victim */
	int fd;			/* the device, in the victim */
	unsigned char perms[PAGES];
	char cgroup[256];
	char data[];		/* PAGES pages */
};

struct process {
	pid_t pid;
	int pidfd;
	int cmd;		/* write end: a byte for each action */
	int ack;		/* read end: a byte for each one that is done */
	bool stuck;		/* it does not answer any more */
	bool gone;
};

struct reap {
	struct shared *shared;
	struct process victim;
	struct process holder;
	bool traced;		/* the victim, until it is let go */
	bool stopped;		/* the victim, in exit */
	bool handed_down;	/* the memory controller, to make the cgroup */
	char *vma[VMAS];	/* in the victim */
	size_t page_size;
	const char *missing;	/* what the test cannot do without */
};

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/*
 * The two children
 */

/* Who may hang must not hold the terminal, or the pipe, of the test */
static void child_init(void)
{
	int fd = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
}

static void holder_main(struct reap *r, int cmd, int ack)
{
	struct shared *shared = r->shared;
	int fd = -1, ret;
	char c;

	while (read(cmd, &c, 1) == 1) {
		switch (shared->request) {
		case HOLD:
			fd = syscall(__NR_pidfd_getfd, r->victim.pidfd,
				     shared->fd, 0);
			ret = fd < 0 ? -1 : 0;
			break;
		case CLOSE:
			ret = close(fd);
			break;
		default:
			do {
				ret = ioctl(fd, shared->request, &shared->cmd);
			} while (ret && errno == EINTR);
		}
		shared->ret = ret ? -errno : 0;
		if (write(ack, &c, 1) != 1)
			break;
	}
	_exit(0);
}

static void hog(const struct shared *shared)
{
	char *mem;
	size_t i;

	if (write_file("/proc/self", "oom_score_adj", "1000") ||
	    write_file(shared->cgroup, "cgroup.procs", "0"))
		_exit(1);
	mem = mmap(NULL, HOG_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; mem != MAP_FAILED && i < HOG_SIZE; i += 4096)
		mem[i] = 1;
	/* Nobody killed us: the test sees an exit without a signal */
	_exit(1);
}

static char pattern(int vma, int page)
{
	return 'A' + vma * PAGES + page;
}

static void victim_main(struct reap *r, int cmd, int ack)
{
	struct shared *shared = r->shared;
	int i, page, ret = 0;
	char c = 0;

	for (i = 0; i < VMAS; i++)
		for (page = 0; page < PAGES; page++)
			memset(r->vma[i] + page * r->page_size,
			       pattern(i, page), r->page_size);
	shared->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	shared->ret = shared->fd < 0 ? -errno : 0;

	while (write(ack, &c, 1) == 1 && read(cmd, &c, 1) == 1) {
		switch (c) {
		case VICTIM_DISCARD:
			for (i = 0; i < VMAS && !ret; i++)
				ret = madvise(r->vma[i], PAGES * r->page_size,
					      MADV_DONTNEED);
			break;
		case VICTIM_CLOSE:
			ret = close(shared->fd);
			break;
		case VICTIM_HOG:
			hog(shared);
		}
		shared->ret = ret ? -errno : 0;
	}
	_exit(0);
}

static int process_start(struct process *p, struct reap *r,
			 void (*child)(struct reap *r, int cmd, int ack))
{
	int cmd[2], ack[2];

	if (pipe2(cmd, O_CLOEXEC) || pipe2(ack, O_CLOEXEC))
		return -errno;
	p->pid = fork();
	if (!p->pid) {
		close(cmd[1]);
		close(ack[0]);
		child_init();
		child(r, cmd[0], ack[1]);
	}
	close(cmd[0]);
	close(ack[1]);
	p->cmd = cmd[1];
	p->ack = ack[0];
	if (p->pid < 0)
		return -errno;
	p->pidfd = syscall(__NR_pidfd_open, p->pid, 0);
	return p->pidfd < 0 ? -errno : 0;
}

static int process_wait_ack(struct process *p)
{
	struct pollfd pfd = { .fd = p->ack, .events = POLLIN };
	char c;

	if (poll(&pfd, 1, TIMEOUT_MS) != 1) {
		p->stuck = true;
		return -ETIME;
	}
	return read(p->ack, &c, 1) == 1 ? 0 : -EPIPE;
}

/* -ETIME if there is no answer, then and ever after */
static int process_do(struct process *p, struct reap *r, char action)
{
	int ret;

	if (p->stuck)
		return -ETIME;
	if (write(p->cmd, &action, 1) != 1)
		return -errno;
	ret = process_wait_ack(p);
	return ret ? ret : r->shared->ret;
}

static bool process_gone(struct process *p)
{
	struct pollfd pfd = { .fd = p->pidfd, .events = POLLIN };

	if (!p->gone && poll(&pfd, 1, TIMEOUT_MS) == 1)
		p->gone = waitpid(p->pid, NULL, __WALL) == p->pid;
	return p->gone;
}

/*
 * What the victim goes through
 */

static int victim_do(struct reap *r, enum victim_action action)
{
	return process_do(&r->victim, r, action);
}

/* Wait until the victim, killed by whomever, stops in exit */
static int victim_wait_stop(struct reap *r)
{
	unsigned long code;
	int status;

	for (;;) {
		if (waitpid(r->victim.pid, &status, __WALL) < 0)
			return -errno;
		if (!WIFSTOPPED(status)) {
			r->victim.gone = true;
			return -ECHILD;
		}
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8))
			break;
		ptrace(PTRACE_CONT, r->victim.pid, NULL, NULL);
	}
	r->stopped = true;
	if (ptrace(PTRACE_GETEVENTMSG, r->victim.pid, NULL, &code))
		return -errno;
	return WIFSIGNALED(code) && WTERMSIG(code) == SIGKILL ? 0 : -EINVAL;
}

static int victim_kill(struct reap *r)
{
	if (kill(r->victim.pid, SIGKILL))
		return -errno;
	return victim_wait_stop(r);
}

static int victim_mrelease(struct reap *r)
{
	return syscall(__NR_process_mrelease, r->victim.pidfd, 0) ? -errno : 0;
}

/* Again while somebody refuses: who has a lock for a moment must not count */
static int victim_mrelease_all(struct reap *r)
{
	long deadline = now_ms() + TIMEOUT_MS;
	int ret = victim_mrelease(r);

	while (ret == -EAGAIN && now_ms() < deadline) {
		poll(NULL, 0, POLL_MS);
		ret = victim_mrelease(r);
	}
	return ret;
}

static void victim_let_go(struct reap *r)
{
	ptrace(PTRACE_DETACH, r->victim.pid, NULL, NULL);
	r->traced = false;
}

/*
 * A memory cgroup that the victim cannot live in for long
 */

static const char *cgroup_root(void)
{
	static char root[128];
	struct mntent *ent;
	FILE *mounts = setmntent("/proc/self/mounts", "r");

	while (mounts && !root[0] && (ent = getmntent(mounts)))
		if (!strcmp(ent->mnt_type, "cgroup2"))
			snprintf(root, sizeof(root), "%s", ent->mnt_dir);
	if (mounts)
		endmntent(mounts);
	return root[0] ? root : NULL;
}

static bool cgroup_make(struct reap *r)
{
	const char *root = cgroup_root();
	char *path = r->shared->cgroup;
	size_t size = sizeof(r->shared->cgroup);
	bool made;

	if (!root)
		return false;
	snprintf(path, size, "%s/hmm_reap_test.%d", root, getpid());
	made = !mkdir(path, 0755);
	if (made && write_file(path, "memory.max", MEMORY_MAX)) {
		/* The root does not hand the controller down */
		rmdir(path);
		r->handed_down = !write_file(root, "cgroup.subtree_control",
					     "+memory");
		made = !mkdir(path, 0755);
		if (made && write_file(path, "memory.max", MEMORY_MAX)) {
			rmdir(path);
			made = false;
		}
	}
	if (!made) {
		path[0] = '\0';
		return false;
	}
	write_file(path, "memory.swap.max", "0");
	return true;
}

static void cgroup_remove(struct reap *r)
{
	if (r->shared->cgroup[0])
		rmdir(r->shared->cgroup);
	if (r->handed_down)
		write_file(cgroup_root(), "cgroup.subtree_control", "-memory");
}

/*
 * What the device is told, all through the holder
 */

static int device_do(struct reap *r, unsigned long request, const char *addr,
		     unsigned long npages, void *ptr)
{
	r->shared->request = request;
	memset(&r->shared->cmd, 0, sizeof(r->shared->cmd));
	r->shared->cmd.addr = (uintptr_t)addr;
	r->shared->cmd.npages = npages;
	r->shared->cmd.ptr = (uintptr_t)ptr;
	return process_do(&r->holder, r, 'x');
}

static int device_close(struct reap *r)
{
	return device_do(r, CLOSE, NULL, 0, NULL);
}

static int device_read(struct reap *r, int vma)
{
	return device_do(r, HMM_DMIRROR_READ, r->vma[vma], PAGES,
			 r->shared->data);
}

/* What one page gives does not depend on what the mirror has of the others */
static int device_read_page(struct reap *r, int vma, int page)
{
	return device_do(r, HMM_DMIRROR_READ,
			 r->vma[vma] + page * r->page_size, 1,
			 r->shared->data);
}

/* Refuse @n VMAs from @first on; none if @n is 0 */
static int device_refuse(struct reap *r, int first, int n)
{
	unsigned long npages = 0;

	if (n)
		npages = (r->vma[first + n - 1] - r->vma[first]) / r->page_size +
			 PAGES;
	return device_do(r, HMM_DMIRROR_REFUSE, n ? r->vma[first] : NULL,
			 npages, &r->shared->refusals);
}

/* Have the mirror fault all pages in, and move the latter half to the device */
static int device_fault_in(struct reap *r)
{
	int i, ret;

	for (i = 0; i < VMAS; i++) {
		ret = device_read(r, i);
		if (ret)
			return ret;
		ret = device_do(r, HMM_DMIRROR_MIGRATE_TO_DEV,
				r->vma[i] + PAGES / 2 * r->page_size, PAGES / 2,
				r->shared->data);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * What to expect of it
 */

#define expect_intact(r, i, mirrored) \
	__expect_intact(_metadata, r, i, mirrored)
#define expect_reaped(r, i)	__expect_reaped(_metadata, r, i)
#define expect_pairs(r)		__expect_pairs(_metadata, r)
#define snapshot(r, i)		__snapshot(_metadata, r, i)

/* The state of the pages as the device sees it, if it can be had */
static bool __snapshot(struct __test_metadata *_metadata, struct reap *r,
		       int vma)
{
	int ret;

	memset(r->shared->perms, HMM_DMIRROR_PROT_ERROR, PAGES);
	ret = device_do(r, HMM_DMIRROR_SNAPSHOT, r->vma[vma], PAGES,
			r->shared->perms);
	EXPECT_EQ(0, ret) {
		TH_LOG("a snapshot of VMA %d %s", vma,
		       ret == -ETIME ? "does not return" : "fails");
	}
	return !ret;
}

/*
 * The pages of the VMA are where they were, with the data that was there.  The
 * mirror has all of them or, if it was told to invalidate them, none: it has to
 * fault in each.
 */
static void __expect_intact(struct __test_metadata *_metadata, struct reap *r,
			    int vma, bool mirrored)
{
	int page, perm;

	if (!snapshot(r, vma))
		return;
	for (page = 0; page < PAGES; page++) {
		perm = HMM_DMIRROR_PROT_WRITE;
		if (page >= PAGES / 2)
			perm |= HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL;
		EXPECT_EQ(perm, r->shared->perms[page]) {
			TH_LOG("page %d of VMA %d", page, vma);
		}
	}

	for (page = 0; page < PAGES; page++) {
		r->shared->data[0] = 0;
		EXPECT_EQ(0, device_read_page(r, vma, page)) {
			TH_LOG("page %d of VMA %d cannot be read", page, vma);
		}
		EXPECT_EQ(pattern(vma, page), r->shared->data[0]) {
			TH_LOG("page %d of VMA %d", page, vma);
		}
		EXPECT_EQ(!mirrored, r->shared->cmd.faults) {
			TH_LOG("page %d of VMA %d %s in the mirror", page, vma,
			       mirrored ? "was not" : "was still");
		}
	}
}

/*
 * Neither the victim nor the mirror has a page of it.  To fault one in fails,
 * for the memory of the victim is no longer reliable, but it comes back.
 */
static void __expect_reaped(struct __test_metadata *_metadata, struct reap *r,
			    int vma)
{
	int page, ret;

	if (!snapshot(r, vma))
		return;
	for (page = 0; page < PAGES; page++) {
		EXPECT_EQ(HMM_DMIRROR_PROT_NONE, r->shared->perms[page]) {
			TH_LOG("page %d of VMA %d", page, vma);
		}
	}

	for (page = 0; page < PAGES; page++) {
		ret = device_read_page(r, vma, page);
		EXPECT_NE(0, ret) {
			TH_LOG("page %d of VMA %d is still mirrored", page, vma);
		}
		EXPECT_NE(-EPIPE, ret);
		EXPECT_NE(-ETIME, ret) {
			TH_LOG("a fault in page %d of VMA %d does not return",
			       page, vma);
		}
	}
}

/* Every range that was started has been ended, and no other has */
static void __expect_pairs(struct __test_metadata *_metadata, struct reap *r)
{
	const struct hmm_dmirror_refusals *refusals = &r->shared->refusals;

	EXPECT_GT(refusals->started, 0);
	EXPECT_EQ(refusals->started, refusals->ended);
}

/*
 * Start and end
 */

static int __reap_start(struct reap *r)
{
	size_t vma_size;
	char *area;
	int i, ret;

	/* A child that died is seen by what it does not answer */
	signal(SIGPIPE, SIG_IGN);
	r->victim.pid = -1;
	r->holder.pid = -1;
	r->page_size = sysconf(_SC_PAGESIZE);
	vma_size = PAGES * r->page_size;
	r->shared = mmap(NULL, sizeof(*r->shared) + vma_size,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	/* With holes between them, or they would be merged */
	area = mmap(NULL, 2 * VMAS * vma_size, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->shared == MAP_FAILED || area == MAP_FAILED)
		return -errno;
	for (i = 0; i < VMAS; i++) {
		r->vma[i] = area + 2 * i * vma_size;
		if (mprotect(r->vma[i], vma_size, PROT_READ | PROT_WRITE))
			return -errno;
	}

	if (geteuid()) {
		r->missing = "must be run as root";
		return 0;
	}
	if (access(DEVICE, F_OK)) {
		r->missing = "no " DEVICE ", is test_hmm loaded?";
		return 0;
	}
	if (!syscall(__NR_process_mrelease, -1, 0) || errno != EBADF) {
		r->missing = "no process_mrelease(2)";
		return 0;
	}

	ret = process_start(&r->victim, r, victim_main);
	if (!ret)
		ret = process_wait_ack(&r->victim);
	if (!ret)
		ret = r->shared->ret;
	if (!ret) {
		r->traced = !ptrace(PTRACE_SEIZE, r->victim.pid, NULL,
				    PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
		ret = r->traced ? 0 : -errno;
	}
	if (!ret)
		ret = process_start(&r->holder, r, holder_main);
	if (!ret)
		ret = device_do(r, HOLD, NULL, 0, NULL);
	if (!ret)
		ret = device_fault_in(r);
	return ret;
}

static void reap_end(struct reap *r)
{
	if (r->shared == MAP_FAILED)
		return;
	if (r->victim.pid > 0 && !r->victim.gone) {
		kill(r->victim.pid, SIGKILL);
		if (r->traced && (r->stopped || !victim_wait_stop(r)))
			victim_let_go(r);
	}
	if (r->holder.pid > 0) {
		kill(r->holder.pid, SIGKILL);
		if (!r->holder.stuck)
			process_gone(&r->holder);
	}
	if (r->victim.pid > 0)
		process_gone(&r->victim);
	cgroup_remove(r);
}

/* The harness does not tear down what failed to be set up */
static int reap_start(struct reap *r)
{
	int ret = __reap_start(r);

	if (ret)
		reap_end(r);
	return ret;
}

FIXTURE(refused_reap)
{
	struct reap reap;
};

FIXTURE_VARIANT(refused_reap)
{
	int first;
	int n;
};

FIXTURE_VARIANT_ADD(refused_reap, first_vma) { .first = 0, .n = 1 };
FIXTURE_VARIANT_ADD(refused_reap, middle_vma) { .first = 1, .n = 1 };
FIXTURE_VARIANT_ADD(refused_reap, last_vma) { .first = 2, .n = 1 };
FIXTURE_VARIANT_ADD(refused_reap, all_vmas) { .first = 0, .n = VMAS };

FIXTURE_SETUP(refused_reap)
{
	ASSERT_EQ(0, reap_start(&self->reap));
}

FIXTURE_TEARDOWN(refused_reap)
{
	reap_end(&self->reap);
}

static bool is_among(int vma, int first, int n)
{
	return vma >= first && vma < first + n;
}

#define has_more(r, first, n)	__has_more(_metadata, r, first, n)

/* Is there memory of the victim left that nobody refuses to have reaped? */
static bool __has_more(struct __test_metadata *_metadata, struct reap *r,
		       int first, int n)
{
	int i, page;

	for (i = 0; i < VMAS; i++) {
		if (is_among(i, first, n) || !snapshot(r, i))
			continue;
		for (page = 0; page < PAGES; page++)
			if (r->shared->perms[page] != HMM_DMIRROR_PROT_NONE)
				return true;
	}
	return false;
}

/*
 * process_mrelease(2) reaps what is not refused and says that there is more;
 * when nobody refuses any more it reaps the rest.
 */
TEST_F_TIMEOUT(refused_reap, process_mrelease, TEST_SECONDS)
{
	struct reap *r = &self->reap;
	int i;

	if (r->missing)
		SKIP(return, "%s", r->missing);

	for (i = 0; i < VMAS; i++)
		expect_intact(r, i, true);
	ASSERT_EQ(0, device_refuse(r, variant->first, variant->n));
	ASSERT_EQ(0, victim_kill(r));

	EXPECT_EQ(-EAGAIN, victim_mrelease(r));
	ASSERT_EQ(0, device_refuse(r, variant->first, variant->n));
	EXPECT_EQ(REFUSALS(variant->n), r->shared->refusals.refused);
	expect_pairs(r);
	for (i = 0; i < VMAS; i++) {
		if (is_among(i, variant->first, variant->n))
			expect_intact(r, i, false);
		else
			expect_reaped(r, i);
	}

	ASSERT_EQ(0, device_refuse(r, 0, 0));
	EXPECT_EQ(0, victim_mrelease_all(r));
	ASSERT_EQ(0, device_refuse(r, 0, 0));
	EXPECT_EQ(REFUSALS(variant->n), r->shared->refusals.refused);
	expect_pairs(r);
	for (i = 0; i < VMAS; i++)
		expect_reaped(r, i);

	victim_let_go(r);
	EXPECT_TRUE(process_gone(&r->victim));
	EXPECT_EQ(0, device_close(r));
}

/*
 * The OOM reaper tries a couple of times, and then leaves what is refused to
 * the victim's own exit.
 */
TEST_F_TIMEOUT(refused_reap, oom_reaper, TEST_SECONDS)
{
	struct reap *r = &self->reap;
	const struct hmm_dmirror_refusals *refusals = &r->shared->refusals;
	const char action = VICTIM_HOG;
	long deadline;
	int i;

	if (r->missing)
		SKIP(return, "%s", r->missing);
	if (!cgroup_make(r))
		SKIP(return, "no memory controller in a cgroup v2");

	ASSERT_EQ(0, device_refuse(r, variant->first, variant->n));
	ASSERT_EQ(1, write(r->victim.cmd, &action, 1));
	ASSERT_EQ(0, victim_wait_stop(r)) {
		TH_LOG("the victim was not killed");
	}

	/* The reaper comes in its own time, only this test knows the victim */
	deadline = now_ms() + TIMEOUT_MS;
	do {
		poll(NULL, 0, LOOK_MS);
		ASSERT_EQ(0, device_refuse(r, variant->first, variant->n));
	} while ((!refusals->refused || has_more(r, variant->first, variant->n)) &&
		 now_ms() < deadline);
	EXPECT_LT(0, refusals->refused);
	/* Nobody but the OOM reaper has been at it so far */
	EXPECT_FALSE(has_more(r, variant->first, variant->n));

	/* When it has given up, there is nothing left to do for a reaper */
	EXPECT_EQ(0, victim_mrelease_all(r));

	ASSERT_EQ(0, device_refuse(r, variant->first, variant->n));
	EXPECT_EQ(0, refusals->refused % REFUSALS(variant->n));
	expect_pairs(r);
	for (i = 0; i < VMAS; i++) {
		if (is_among(i, variant->first, variant->n))
			expect_intact(r, i, false);
		else
			expect_reaped(r, i);
	}

	victim_let_go(r);
	EXPECT_TRUE(process_gone(&r->victim));
	ASSERT_EQ(0, device_refuse(r, 0, 0));
	expect_pairs(r);
	EXPECT_EQ(0, device_close(r));
}

FIXTURE(refuser)
{
	struct reap reap;
};

FIXTURE_SETUP(refuser)
{
	ASSERT_EQ(0, reap_start(&self->reap));
}

FIXTURE_TEARDOWN(refuser)
{
	reap_end(&self->reap);
}

/* Only a range that may not sleep is refused: MADV_DONTNEED can */
TEST_F_TIMEOUT(refuser, does_not_refuse_blockable_ranges, TEST_SECONDS)
{
	struct reap *r = &self->reap;
	int i, page;

	if (r->missing)
		SKIP(return, "%s", r->missing);

	ASSERT_EQ(0, device_refuse(r, 0, VMAS));
	ASSERT_EQ(0, victim_do(r, VICTIM_DISCARD));
	ASSERT_EQ(0, device_refuse(r, 0, VMAS));
	EXPECT_EQ(0, r->shared->refusals.refused);
	EXPECT_LE(VMAS, r->shared->refusals.started);
	expect_pairs(r);

	for (i = 0; i < VMAS; i++) {
		ASSERT_TRUE(snapshot(r, i));
		for (page = 0; page < PAGES; page++)
			EXPECT_EQ(HMM_DMIRROR_PROT_NONE,
				  r->shared->perms[page]);
		/* The victim lives, so there is new memory to be faulted in */
		ASSERT_EQ(0, device_read(r, i));
		EXPECT_LT(0, r->shared->cmd.faults);
		EXPECT_EQ(0, r->shared->data[0]);
	}
	EXPECT_EQ(0, device_close(r));
}

/* Closing the device is the end of its notifiers, so nobody refuses any more */
TEST_F_TIMEOUT(refuser, device_closes_before_the_victim_exits, TEST_SECONDS)
{
	struct reap *r = &self->reap;

	if (r->missing)
		SKIP(return, "%s", r->missing);

	ASSERT_EQ(0, victim_do(r, VICTIM_CLOSE));
	ASSERT_EQ(0, device_refuse(r, 1, 1));
	ASSERT_EQ(0, victim_kill(r));
	EXPECT_EQ(-EAGAIN, victim_mrelease(r));
	EXPECT_EQ(0, device_close(r));
	EXPECT_EQ(0, victim_mrelease_all(r));
	victim_let_go(r);
	EXPECT_TRUE(process_gone(&r->victim));
}

/* The victim's exit closes the device, after its mm is gone */
TEST_F_TIMEOUT(refuser, device_closes_in_the_exit_of_the_victim, TEST_SECONDS)
{
	struct reap *r = &self->reap;

	if (r->missing)
		SKIP(return, "%s", r->missing);

	ASSERT_EQ(0, device_refuse(r, 1, 1));
	ASSERT_EQ(0, victim_kill(r));
	EXPECT_EQ(-EAGAIN, victim_mrelease(r));
	EXPECT_EQ(0, device_close(r));
	victim_let_go(r);
	EXPECT_TRUE(process_gone(&r->victim));
}

/* The device outlives the mm: there is nothing to be refused any more */
TEST_F_TIMEOUT(refuser, device_closes_after_the_victim_is_gone, TEST_SECONDS)
{
	struct reap *r = &self->reap;
	long deadline;
	int ret;

	if (r->missing)
		SKIP(return, "%s", r->missing);

	ASSERT_EQ(0, victim_kill(r));
	victim_let_go(r);
	ASSERT_TRUE(process_gone(&r->victim));
	/* Somebody else may have the mm for a moment longer */
	deadline = now_ms() + TIMEOUT_MS;
	ret = device_refuse(r, 1, 1);
	while (!ret && now_ms() < deadline) {
		poll(NULL, 0, POLL_MS);
		ret = device_refuse(r, 1, 1);
	}
	EXPECT_EQ(-EINVAL, ret);
	EXPECT_EQ(0, device_refuse(r, 0, 0));
	EXPECT_EQ(0, r->shared->refusals.started);
	EXPECT_EQ(0, device_close(r));
}

TEST_HARNESS_MAIN
