// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
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
#include <unistd.h>

#include "victim.h"

/* The same numbers on all architectures but alpha, where they are 110 higher */
#ifndef __NR_pidfd_open
#define __NR_pidfd_open		434
#endif
#ifndef __NR_process_mrelease
#define __NR_process_mrelease	448
#endif

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

#define PUD_SIZE	(1ul << 30)	/* or a multiple of it, with 4 KiB pages */

#define CGROUP_ROOT	"/sys/fs/cgroup"
#define CGROUP		CGROUP_ROOT "/mn_kit"
#define CGROUP_LIMIT	"16777216"

int kit_call(int fd, unsigned long cmd, const void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, cmd, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/*
 * A memory cgroup that is too small to live in.  The controller is handed down from
 * the root only if it is not already.
 *
 * A janitor makes the cgroup, and takes all of it back when the other end of its
 * pipe is closed: by this process, or by its death, whatever it dies of.
 */
static int janitor_fd = -1;
static pid_t janitor;

/* Returns whether the cgroup can be used; says whether the controller was handed down. */
static bool cgroup_set_up(bool *handed_down)
{
	char text[256] = "";
	int fd = open(CGROUP_ROOT "/cgroup.subtree_control", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	if (!strstr(text, "memory"))
		*handed_down = !write_file(CGROUP_ROOT "/cgroup.subtree_control",
					   "+memory");
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		return false;
	write_file(CGROUP "/memory.swap.max", "0");
	return !write_file(CGROUP "/memory.max", CGROUP_LIMIT);
}

static void janitor_main(int orders, int answer)
{
	bool handed_down = false;
	unsigned int tries = 50;
	char c;

	/* What ends us must not end it */
	prctl(PR_SET_PDEATHSIG, 0);
	setsid();
	signal(SIGPIPE, SIG_IGN);
	c = cgroup_set_up(&handed_down);
	if (write(answer, &c, 1) == 1)
		while (read(orders, &c, 1) == 1)
			;
	/* The victim may still be on its way out */
	while (rmdir(CGROUP) && errno == EBUSY && --tries)
		usleep(100000);
	if (handed_down)
		write_file(CGROUP_ROOT "/cgroup.subtree_control", "-memory");
	_exit(0);
}

static void cgroup_remove(void)
{
	if (janitor_fd < 0)
		return;
	close(janitor_fd);
	janitor_fd = -1;
	if (janitor > 0)
		waitpid(janitor, NULL, 0);
}

static bool cgroup_make(void)
{
	int orders[2], answer[2];
	char c = 0;

	if (pipe2(orders, O_CLOEXEC))
		return false;
	janitor = pipe2(answer, O_CLOEXEC) ? -1 : fork();
	if (!janitor) {
		close(orders[1]);
		close(answer[0]);
		janitor_main(orders[0], answer[1]);
	}
	janitor_fd = orders[1];
	close(orders[0]);
	if (janitor > 0) {
		close(answer[1]);
		if (read(answer[0], &c, 1) != 1)
			c = 0;
		close(answer[0]);
	}
	if (!c)
		cgroup_remove();
	return c;
}

static int protect(char *addr, size_t len)
{
	if (mprotect(addr, len, PROT_READ))
		return errno;
	if (mprotect(addr, len, PROT_READ | PROT_WRITE))
		return errno;
	return 0;
}

/*
 * A mapping from address 0 on, of a page at its beginning and, where nothing is
 * in its way, another one in the next entry of the upper page directory.
 */
static int protect_zero(size_t page)
{
	size_t len = PUD_SIZE + page;
	volatile char *zero;
	int ret;

	zero = mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
		    -1, 0);
	if (zero == MAP_FAILED && errno == EEXIST) {
		len = page;
		zero = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
	if (zero == MAP_FAILED)
		return errno;
	/* The compiler knows that nobody writes to address 0 */
	asm volatile("" : "+r" (zero));
	zero[0] = 1;
	zero[len - page] = 1;
	ret = protect((char *)zero, len);
	munmap((void *)zero, len);
	return ret;
}

static int map(size_t page)
{
	volatile char *mem = mmap(NULL, page, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return errno;
	*mem = 1;
	return munmap((void *)mem, page) ? errno : 0;
}

/* Without SIGCHLD, which would stop us: we are traced */
static int fork_child(void)
{
	pid_t pid = syscall(SYS_clone, 0, 0, 0, 0, 0);

	if (!pid)
		_exit(0);
	return pid < 0 || waitpid(pid, NULL, __WALL) != pid ? errno : 0;
}

static void hog(void)
{
	size_t len = 256 << 20, i;
	char *mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (i = 0; mem != MAP_FAILED && i < len; i += 4096)
		mem[i] = 1;
	/* Nobody killed us: the parent sees an exit without a kill */
	_exit(1);
}

static void victim_main(struct victim *v, const struct victim_opts *opts,
			int cmd, int ack)
{
	struct mn_kit_bind bind = { .flags = opts->bind };
	size_t page = sysconf(_SC_PAGESIZE), i;
	int ret = 0;
	unsigned char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (janitor_fd >= 0)
		close(janitor_fd);
	if (opts->oom)
		prctl(PR_SET_NAME, v->name);
	if (opts->oom && (write_file("/proc/self/oom_score_adj", "1000") ||
			  write_file(CGROUP "/cgroup.procs", "0")))
		ret = ENODEV;
	for (i = 0; i < v->len; i += page)
		v->buf[i] = 1;
	/* Every other page read-only keeps the VMAs from being merged */
	for (i = page; opts->vmas > 1 && !ret && i < v->len; i += 2 * page)
		if (mprotect(v->buf + i, page, PROT_READ))
			ret = errno;
	if (!ret)
		ret = -kit_call(v->kit, MN_KIT_BIND, &bind);
	if (!ret && opts->setup)
		ret = opts->setup(v);
	c = ret;
	if (write(ack, &c, 1) != 1)
		_exit(1);

	while (read(cmd, &c, 1) == 1) {
		switch (c) {
		case VICTIM_DISCARD:
			ret = madvise(v->buf, page, MADV_DONTNEED) ? errno : 0;
			break;
		case VICTIM_PROTECT:
			ret = protect(v->buf, page);
			break;
		case VICTIM_PROTECT_ZERO:
			ret = protect_zero(page);
			break;
		case VICTIM_MAP:
			ret = map(page);
			break;
		case VICTIM_FORK:
			ret = fork_child();
			break;
		default:
			hog();
		}
		c = ret;
		if (write(ack, &c, 1) != 1)
			break;
	}
	_exit(0);
}

static int read_ack(struct victim *v)
{
	unsigned char c;

	if (read(v->ack, &c, 1) != 1)
		return -EPIPE;
	return -c;
}

/* Returns 0, or a negative errno with nothing left behind. */
int victim_start(struct victim *v, const struct victim_opts *opts)
{
	unsigned int vmas = opts->vmas ? opts->vmas : 1;
	int cmd[2], ack[2], ret;

	memset(v, 0, sizeof(*v));
	v->pidfd = -1;
	v->cmd = -1;
	v->ack = -1;
	v->reaped = true;
	v->kit = -1;
	/* Before the session is open: the janitor must not hold it */
	v->step = "memory cgroup";
	v->cgroup = opts->oom;
	if (opts->oom && !cgroup_make()) {
		victim_end(v);
		return -ENODEV;
	}
	v->step = "/dev/mn_kit";
	v->kit = open("/dev/mn_kit", O_RDWR | O_CLOEXEC);
	if (v->kit < 0)
		goto err;
	v->step = "memory and pipes";
	v->len = vmas * sysconf(_SC_PAGESIZE);
	v->buf = mmap(NULL, v->len, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (v->buf == MAP_FAILED || pipe2(cmd, O_CLOEXEC))
		goto err;
	v->cmd = cmd[1];
	if (pipe2(ack, O_CLOEXEC)) {
		close(cmd[0]);
		goto err;
	}
	v->ack = ack[0];

	v->step = "fork";
	v->pid = fork();
	if (!v->pid) {
		snprintf(v->name, sizeof(v->name), "mn-kit-%d", getpid());
		close(cmd[1]);
		close(ack[0]);
		victim_main(v, opts, cmd[0], ack[1]);
	}
	close(cmd[0]);
	close(ack[1]);
	if (v->pid < 0)
		goto err;
	v->reaped = false;
	snprintf(v->name, sizeof(v->name), "mn-kit-%d", v->pid);

	v->step = "set-up in the child";
	ret = read_ack(v);
	if (!ret) {
		v->step = "pidfd_open";
		v->pidfd = syscall(__NR_pidfd_open, v->pid, 0);
		ret = v->pidfd < 0 ? -errno : 0;
	}
	if (!ret) {
		v->step = "ptrace";
		v->traced = !ptrace(PTRACE_SEIZE, v->pid, 0,
				    PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
		ret = v->traced ? 0 : -errno;
	}
	if (ret)
		victim_end(v);
	return ret;
err:
	ret = -errno;
	victim_end(v);
	return ret;
}

int victim_do(struct victim *v, enum victim_action action)
{
	char c = action;

	if (write(v->cmd, &c, 1) != 1)
		return -errno;
	return action == VICTIM_HOG ? 0 : read_ack(v);
}

int victim_stopped(struct victim *v)
{
	unsigned long code = 0;
	int status;

	for (;;) {
		if (waitpid(v->pid, &status, __WALL) < 0)
			return -errno;
		if (!WIFSTOPPED(status)) {
			v->reaped = true;
			return -ECHILD;
		}
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
			v->stopped = true;
			ptrace(PTRACE_GETEVENTMSG, v->pid, 0, &code);
			/* It exits by itself: no memory to hog, or too much */
			return WIFSIGNALED(code) ? 0 : -ENOMEM;
		}
		ptrace(PTRACE_CONT, v->pid, 0, 0);
	}
}

int victim_kill(struct victim *v)
{
	if (kill(v->pid, SIGKILL))
		return -errno;
	return victim_stopped(v);
}

int victim_reap(struct victim *v)
{
	return syscall(__NR_process_mrelease, v->pidfd, 0) ? -errno : 0;
}

pid_t victim_reap_async(struct victim *v)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(-victim_reap(v));
	}
	return pid;
}

int helper_wait(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -ECHILD;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

void victim_let_go(struct victim *v)
{
	ptrace(PTRACE_DETACH, v->pid, 0, 0);
	v->traced = false;
}

bool victim_gone(struct victim *v, int timeout_ms)
{
	struct pollfd pfd = { .fd = v->pidfd, .events = POLLIN };

	if (v->reaped)
		return true;
	if (poll(&pfd, 1, timeout_ms) == 1 && waitpid(v->pid, NULL, __WALL) > 0)
		v->reaped = true;
	return v->reaped;
}

void victim_end(struct victim *v)
{
	if (v->cmd >= 0)
		close(v->cmd);
	if (v->ack >= 0)
		close(v->ack);
	if (v->kit >= 0)
		close(v->kit);
	if (!v->reaped && !v->stuck) {
		kill(v->pid, SIGKILL);
		if (v->traced && !v->stopped)
			victim_stopped(v);
		if (v->traced && v->stopped)
			victim_let_go(v);
		if (v->pidfd < 0)
			waitpid(v->pid, NULL, __WALL);
		else
			victim_gone(v, 10000);
	}
	if (v->pidfd >= 0)
		close(v->pidfd);
	if (v->buf && v->buf != MAP_FAILED)
		munmap(v->buf, v->len);
	if (v->cgroup)
		cgroup_remove();
}

int klog_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	lseek(fd, 0, SEEK_END);
	return fd;
}

int klog_next(int fd, char *line, size_t size)
{
	char record[8192], *text;
	ssize_t n = read(fd, record, sizeof(record) - 1);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	record[n] = 0;
	text = strchr(record, ';');
	text = text ? text + 1 : record;
	text[strcspn(text, "\n")] = 0;
	snprintf(line, size, "%s", text);
	return 1;
}
