// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures what invalidations cost, in ticks of the time stamp counter.  Under
 * QEMU's -icount shift=0 a tick is an instruction.
 *
 * Each line is a row: its name and the median of its repetitions.  Child processes
 * do the work, so that no row affects another.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include "mn_bench.h"

#ifndef __NR_process_mrelease
#define __NR_process_mrelease	448
#endif
#ifndef __NR_pidfd_open
#define __NR_pidfd_open		434
#endif

#define PAGE		4096ul
#define TIMES		31
#define REAPS		5
#define LOOPS		500000
#define CGROUP		"/sys/fs/cgroup/mn_bench"
#define HOG		(256ul << 20)

static const unsigned int counts[] = { 0, 1, 8, 64, 512 };
static const unsigned int vmas[] = { 10, 100, 1000, 10000, 60000 };
static unsigned int rows;

__attribute__((noreturn, format(printf, 1, 2)))
static void die(const char *fmt, ...)
{
	va_list ap;

	printf("mn-bench: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(": %s\n", strerror(errno));
	fflush(stdout);
	_exit(1);
}

static uint64_t now(void)
{
	_mm_lfence();
	return __rdtsc();
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *took, unsigned int n)
{
	qsort(took, n, sizeof(*took), compare);
	return took[n / 2];
}

__attribute__((format(printf, 2, 3)))
static void row(uint64_t value, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(" %llu\n", (unsigned long long)value);
	fflush(stdout);
}

static int subscribe(unsigned int hlist, unsigned int refuser, unsigned int interval)
{
	struct mn_bench_subscribe args = { hlist, refuser, interval, 0 };
	int fd = open("/dev/mn_bench", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, MN_BENCH_SUBSCRIBE, &args))
		die("cannot subscribe %u hlist notifiers", hlist);
	return fd;
}

static uint64_t calls(int fd)
{
	uint64_t n;

	if (ioctl(fd, MN_BENCH_CALLS, &n))
		die("cannot count calls");
	return n;
}

static char *pages(unsigned int n)
{
	char *mem = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (mem == MAP_FAILED)
		die("mmap");
	return mem;
}

/* Measure a loop of LOOPS times two instructions */
static void calibrate(void)
{
	uint64_t took[TIMES];
	unsigned long left;
	unsigned int i;

	for (i = 0; i < TIMES; i++) {
		left = LOOPS;
		took[i] = now();
		asm volatile("1: dec %0; jnz 1b" : "+r" (left) : : "cc");
		took[i] = now() - took[i];
	}
	row(median(took, TIMES), "calibrate instructions=%u", 2 * LOOPS);
}

static uint64_t one_mprotect(char *mem)
{
	uint64_t t;

	mprotect(mem, PAGE, PROT_READ | PROT_WRITE);
	*(volatile char *)mem = 1;
	t = now();
	mprotect(mem, PAGE, PROT_READ);
	return now() - t;
}

static uint64_t one_munmap(char *mem)
{
	uint64_t t;

	(void)mem;
	mem = pages(1);
	t = now();
	munmap(mem, PAGE);
	return now() - t;
}

static uint64_t one_madvise(char *mem)
{
	uint64_t t;

	*(volatile char *)mem = 1;
	t = now();
	madvise(mem, PAGE, MADV_DONTNEED);
	return now() - t;
}

static uint64_t one_fork(char *mem)
{
	uint64_t t;
	pid_t pid;

	*(volatile char *)mem = 1;
	t = now();
	pid = fork();
	if (!pid)
		_exit(0);
	t = now() - t;
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		die("fork");
	return t;
}

static const struct {
	const char *name;
	uint64_t (*once)(char *mem);
} ops[] = {
	{ "mprotect", one_mprotect }, { "munmap", one_munmap },
	{ "madvise", one_madvise }, { "fork", one_fork },
};

#define OPS (sizeof(ops) / sizeof(*ops))

static void join(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die("a part failed");
}

/* No notifier refuses, and every range is blockable. */
static void success(unsigned int hlist, unsigned int interval)
{
	uint64_t took[TIMES], before;
	unsigned int op, i;
	pid_t pid = fork();
	int fd = -1;
	char *mem;

	if (!pid) {
		for (op = 0; op < OPS; op++) {
			/* The middle page of three: no operation merges with a neighbour */
			mem = pages(3) + PAGE;
			if (!op)
				fd = subscribe(hlist, MN_BENCH_NOBODY, interval);
			before = calls(fd);
			for (i = 0; i < TIMES; i++)
				took[i] = ops[op].once(mem);
			if (interval && calls(fd) - before < TIMES)
				die("the interval notifier does not see each %s",
				    ops[op].name);
			row(median(took, TIMES), "%s hlist=%u interval=%u",
			    ops[op].name, hlist, interval);
		}
		_exit(0);
	}
	join(pid);
	rows += OPS;
}

/* The time that the registration of one more notifier takes */
static void registration(unsigned int hlist)
{
	uint64_t took[TIMES];
	unsigned int highest, i;
	pid_t pid = fork();
	int fd;

	if (!pid) {
		fd = subscribe(hlist, MN_BENCH_NOBODY, 0);
		for (highest = 0; highest < 2; highest++) {
			for (i = 0; i < TIMES; i++) {
				took[i] = highest;
				if (ioctl(fd, MN_BENCH_REGISTER, &took[i]))
					die("cannot register one more notifier");
			}
			row(median(took, TIMES), "register hlist=%u address=%s",
			    hlist, highest ? "highest" : "lowest");
		}
		_exit(0);
	}
	join(pid);
	rows += 2;
}

/* Returns a dying process with @maps small mappings, held in its exit. */
static pid_t victim(unsigned int maps, unsigned int hlist, unsigned int refuser)
{
	int ready[2], status;
	unsigned int i;
	pid_t pid;
	char *mem;
	char c;

	if (pipe(ready))
		die("pipe");
	pid = fork();
	if (!pid) {
		mem = pages(maps);
		for (i = 1; i < maps; i += 2)
			if (mprotect(mem + i * PAGE, PAGE, PROT_READ))
				die("mprotect");
		subscribe(hlist, refuser, 0);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (pid < 0 || read(ready[0], &c, 1) != 1)
		die("no victim of %u mappings", maps);
	close(ready[0]);
	if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL) ||
	    kill(pid, SIGKILL) || waitpid(pid, &status, __WALL) != pid ||
	    status >> 8 != (SIGTRAP | PTRACE_EVENT_EXIT << 8))
		die("the victim cannot be held");
	return pid;
}

/*
 * Returns the number of the newest log record.  The kernel numbers the records, so
 * the difference also counts lines that the buffer no longer holds.
 */
static unsigned long long newest_line(int kmsg)
{
	static char record[8192];
	unsigned long long number = 0;
	ssize_t n;

	lseek(kmsg, 0, SEEK_SET);
	while ((n = read(kmsg, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		record[n] = 0;
		if (sscanf(record, "%*u,%llu,", &number) != 1)
			die("/dev/kmsg: %s", record);
	}
	return number;
}

static uint64_t one_reap(int pidfd, int error)
{
	uint64_t t = now();

	errno = 0;
	syscall(__NR_process_mrelease, pidfd, 0);
	t = now() - t;
	if (errno != error)
		die("process_mrelease()");
	return t;
}

static void let_go(pid_t pid, int pidfd)
{
	close(pidfd);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	waitpid(pid, NULL, __WALL);
}

/* Reap a victim of which each mapping is refused, REAPS times. */
static void reap(unsigned int maps, unsigned int hlist, unsigned int refuser)
{
	pid_t pid = victim(maps, hlist, refuser);
	int pidfd = syscall(__NR_pidfd_open, pid, 0);
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	unsigned long long before;
	uint64_t took[REAPS];
	unsigned int i;

	if (kmsg < 0)
		die("/dev/kmsg");
	before = newest_line(kmsg);
	for (i = 0; i < REAPS; i++)
		took[i] = one_reap(pidfd, EAGAIN);
	row(median(took, REAPS), "reap vmas=%u hlist=%u refuser=%u", maps, hlist,
	    refuser);
	row((newest_line(kmsg) - before) / REAPS, "lines vmas=%u hlist=%u refuser=%u",
	    maps, hlist, refuser);
	rows += 2;
	close(kmsg);
	let_go(pid, pidfd);
}

/* Reap REAPS victims without a notifier, each twice: the second time without pages. */
static void zap(unsigned int maps)
{
	uint64_t first[REAPS], second[REAPS];
	unsigned int i;
	pid_t pid;
	int pidfd;

	for (i = 0; i < REAPS; i++) {
		pid = victim(maps, 0, MN_BENCH_NOBODY);
		pidfd = syscall(__NR_pidfd_open, pid, 0);
		first[i] = one_reap(pidfd, 0);
		second[i] = one_reap(pidfd, 0);
		let_go(pid, pidfd);
	}
	row(median(first, REAPS), "zap vmas=%u pages=%u", maps, maps);
	row(median(second, REAPS), "zap vmas=%u pages=0", maps);
	rows += 2;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s", path);
	close(fd);
}

static long read_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		die("%s", path);
	close(fd);
	return atol(text);
}

/*
 * Measure an OOM kill in a memory cgroup, from the last page that the victim gets
 * until the cgroup has its memory back.
 */
static void oom(unsigned int hlist, unsigned int refuser)
{
	uint64_t *last = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct pollfd gone = { .events = POLLIN };
	char *mem;
	size_t i;
	pid_t pid;

	if (last == MAP_FAILED || (mkdir(CGROUP, 0755) && errno != EEXIST))
		die(CGROUP);
	write_file(CGROUP "/memory.max", "16777216");
	pid = fork();
	if (!pid) {
		write_file("/proc/self/oom_score_adj", "1000");
		write_file(CGROUP "/cgroup.procs", "0");
		subscribe(hlist, refuser, 0);
		mem = mmap(NULL, HOG, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (i = 0; mem != MAP_FAILED && i < HOG; i += PAGE) {
			*last = now();
			mem[i] = 1;
		}
		_exit(1);
	}
	gone.fd = syscall(__NR_pidfd_open, pid, 0);
	if (pid < 0 || gone.fd < 0 || poll(&gone, 1, -1) != 1)
		die("no victim");
	while (read_number(CGROUP "/memory.current") > 1 << 20)
		sched_yield();
	row(now() - *last, "oom hlist=%u refuser=%u", hlist, refuser);
	rows++;
	waitpid(pid, NULL, 0);
	close(gone.fd);
	munmap(last, PAGE);
	rmdir(CGROUP);
}

static void load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		die("%s", path);
	close(fd);
}

int main(int argc, char **argv)
{
	unsigned int i, place;

	if (argc != 2) {
		printf("usage: mn-bench MODULE, in a guest of one CPU\n");
		return 2;
	}
	load(argv[1]);
	calibrate();
	rows++;
	for (i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		success(counts[i], 0);
		success(counts[i], 1);
		registration(counts[i]);
	}
	for (i = 0; i < sizeof(vmas) / sizeof(*vmas); i++)
		for (place = 0; place < 8; place += vmas[i] == 1000 ? 1 : 7)
			reap(vmas[i], 8, place);
	for (i = 1; i < sizeof(counts) / sizeof(*counts); i++) {
		if (counts[i] == 8)
			continue;
		reap(1000, counts[i], 0);
		if (counts[i] > 1)
			reap(1000, counts[i], counts[i] - 1);
	}
	zap(1000);
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	oom(8, MN_BENCH_NOBODY);
	oom(8, 0);
	oom(8, 7);
	printf("rows %u\n", rows);
	return 0;
}
