/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a victim's setup leaves for the test, in memory that both processes share.
 */
#ifndef MN_MADE_H
#define MN_MADE_H

#include <stdbool.h>

#define SESSIONS	16

/* The descriptors are the victim's. */
struct made {
	int file;			/* the machine, or the device with the memory region */
	int sessions[SESSIONS];		/* of the kit, bound to the victim's mm */
	char step[48];			/* the step that failed */
};

extern struct made *made;

/* Map the memory before any victim starts.  Returns false, with errno set, on failure. */
bool made_map(void);

/* Record the step that failed.  Returns errno, or EIO if errno is 0. */
int failed(const char *step);

#endif
