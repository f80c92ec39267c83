/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The victim: a child process whose mm carries the subscriptions under test, and
 * that can be held between its death and the end of its mm.
 *
 * The parent seizes it with PTRACE_O_TRACEEXIT.  After SIGKILL the victim stops
 * at PTRACE_EVENT_EXIT: it is dying, so process_mrelease() and the OOM reaper may
 * have its mm, and the mm stays until the parent lets go.  No timing is involved.
 */
#ifndef MN_KIT_VICTIM_H
#define MN_KIT_VICTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mn_kit.h"

struct victim {
	pid_t pid;
	char name[24];		/* of an OOM victim, in the kernel's log */
	const char *step;	/* of victim_start(): the last one that was tried */
	int pidfd;
	int kit;		/* the session, shared with the victim */
	int cmd;		/* write end: one byte, one action */
	int ack;		/* read end: the action's errno, 0 for success */
	char *buf;		/* at the same address in the victim */
	size_t len;
	bool traced;
	bool cgroup;		/* it lives in a memory cgroup */
	bool stopped;		/* in exit, by victim_stopped() */
	bool reaped;		/* waited for */
	bool stuck;		/* known not to exit, do not wait for it */
};

struct victim_opts {
	uint32_t bind;		/* MN_KIT_PEEK, MN_KIT_SYNC_CLOSE */
	unsigned int vmas;	/* the buffer is cut into so many; 0 is 1 */
	bool oom;		/* runs in a memory cgroup of its own */
	int (*setup)(struct victim *v);	/* run by the victim once bound; an errno */
};

/* What the victim does on command, in its own context */
enum victim_action {
	VICTIM_DISCARD = 'd',	/* madvise(MADV_DONTNEED) on the first page */
	VICTIM_PROTECT = 'p',	/* mprotect() the first page, and back */
	VICTIM_PROTECT_ZERO = 'z', /* the same with a page at address 0 */
	VICTIM_MAP = 'm',	/* mmap() a page, touch it, munmap() it */
	VICTIM_FORK = 'f',	/* fork() a child that exits, and wait for it */
	VICTIM_HOG = 'h',	/* touch memory until killed; no answer comes */
};

/* An ioctl, again if a signal interrupts it.  Returns 0 or a negative errno. */
int kit_call(int fd, unsigned long cmd, const void *arg);

/*
 * All return 0 or a negative errno unless said otherwise.  victim_start() gives
 * -ENODEV where there is no memory cgroup to be had, -EOPNOTSUPP where the module
 * cannot read the kernel's private structure (MN_KIT_PEEK).
 */
int victim_start(struct victim *v, const struct victim_opts *opts);
int victim_do(struct victim *v, enum victim_action action);
int victim_kill(struct victim *v);		/* SIGKILL, then victim_stopped() */
int victim_stopped(struct victim *v);		/* wait for the stop in exit */
int victim_reap(struct victim *v);		/* process_mrelease() */
pid_t victim_reap_async(struct victim *v);	/* from a helper process; its pid */
int helper_wait(pid_t pid);			/* what the helper got, or -ECHILD */
void victim_let_go(struct victim *v);		/* it may finish exiting */
bool victim_gone(struct victim *v, int timeout_ms); /* has it been waited for? */
void victim_end(struct victim *v);		/* whatever state it is in */

/* The kernel's log since klog_open(); klog_next() returns 1, 0 (no more) or < 0 */
int klog_open(void);
int klog_next(int fd, char *line, size_t size);

#endif
