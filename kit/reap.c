// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kill a process and reap its memory, as the OOM killer does:
 *
 *	reap [--hold] PID
 *
 * With --hold, the process stops in its exit until it is reaped, so that there
 * is always something to reap.  Exit status: 0 reaped, 1 not reaped, 2 bad
 * usage or no access.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __NR_pidfd_open
#define __NR_pidfd_open		434
#endif
#ifndef __NR_process_mrelease
#define __NR_process_mrelease	448	/* since v5.15 */
#endif

static void need(int done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "reap: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* The first stop of a killed process is that in its exit. */
static void wait_exit(pid_t pid)
{
	int status = 0;

	do {
		need(waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status),
		     "the process is gone");
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8))
			return;
		ptrace(PTRACE_CONT, pid, NULL, 0);
	} while (1);
}

int main(int argc, char **argv)
{
	int hold = argc == 3 && !strcmp(argv[1], "--hold");
	char *end = "-";
	pid_t pid = argc == 2 + hold ? strtol(argv[argc - 1], &end, 10) : 0;
	int pidfd;
	long ret;

	if (*end || pid <= 1) {
		fprintf(stderr, "usage: %s [--hold] PID\n", argv[0]);
		return 2;
	}
	pidfd = syscall(__NR_pidfd_open, pid, 0);
	need(pidfd >= 0, "pidfd_open()");
	if (hold)
		need(!ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT),
		     "cannot trace the process (without --hold this is not needed)");
	need(!kill(pid, SIGKILL), "cannot kill the process");
	if (hold)
		wait_exit(pid);
	ret = syscall(__NR_process_mrelease, pidfd, 0);
	if (!ret)
		puts("reaped");
	else if (errno == EAGAIN)
		puts("not reaped: a notifier refused, or a task held the mmap_lock");
	else if (errno == ESRCH)
		puts("not reaped: the process was gone before (try --hold)");
	else
		printf("not reaped: process_mrelease(): %s\n", strerror(errno));
	if (hold)
		ptrace(PTRACE_DETACH, pid, NULL, 0);
	return ret ? 1 : 0;
}
