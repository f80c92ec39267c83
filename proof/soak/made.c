// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "made.h"

struct made *made;

bool made_map(void)
{
	made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return made != MAP_FAILED;
}

int failed(const char *step)
{
	int error = errno ? errno : EIO;

	snprintf(made->step, sizeof(made->step), "%s", step);
	return error;
}
