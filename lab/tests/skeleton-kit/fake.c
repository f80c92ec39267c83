// SPDX-License-Identifier: GPL-2.0-only
/* A kernel without the module for mn-kit: linked with --wrap, told by FAKE_... what to do. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "case.h"
#include "outcome.h"

int __real_open(const char *path, int flags, ...);
void __real_run_case(const struct kit_case *c);

static bool is(const char *name, const char *what)
{
	return getenv(name) && strstr(getenv(name), what);
}

uid_t __wrap_geteuid(void)
{
	return 0;
}

int __wrap_open(const char *path, int flags, ...)
{
	bool device = !strcmp(path, "/dev/mn_kit") || !strcmp(path, "/dev/kmsg");

	return __real_open(device ? getenv("FAKE_DEVICE") : path, flags);
}

static int failed(int error)
{
	errno = error;
	return -1;
}

/* Every other call is interrupted by a signal. */
int __wrap_ioctl(int fd, unsigned long cmd, void *arg)
{
	static int calls;
	struct mn_kit_wait *wait = arg;
	struct mn_kit_info *info = arg;

	if (++calls % 2)
		return failed(EINTR);
	if (cmd == MN_KIT_INFO)
		*info = (struct mn_kit_info){ .version = MN_KIT_VERSION, .sessions = 1 };
	if (cmd == MN_KIT_WAIT && wait->what == MN_KIT_ALONE && is("FAKE_KERNEL", "stuck"))
		return failed(ETIMEDOUT);
	if (cmd == MN_KIT_ADD && is("FAKE_KERNEL", "memory"))
		return failed(ENOMEM);
	return 0;
}

long __wrap_ptrace(int request, ...)
{
	return is("FAKE_KERNEL", "ptrace") ? failed(EPERM) : 0;
}

/* The case as it is, or with the outcome that it is told. */
void __wrap_run_case(const struct kit_case *c)
{
	if (getenv("FAKE_KERNEL"))
		__real_run_case(c);
	else if (is("FAKE_FAIL", c->name))
		expect(false, "a \"reason\"");
	else if (is("FAKE_SKIP", c->name))
		skip("no thing; buy it");
}
