/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The outcome of the case that is running, and its line of KTAP.  For the one
 * source file of a program that has the cases.
 */
#ifndef MN_KIT_OUTCOME_H
#define MN_KIT_OUTCOME_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* The first failure counts; set to PASSED where a case begins */
static enum { PASSED, FAILED, SKIPPED } result;
static char reason[256];

__attribute__((format(printf, 2, 3)))
static bool expect(bool ok, const char *fmt, ...)
{
	va_list ap;

	if (!ok && result == PASSED) {
		result = FAILED;
		va_start(ap, fmt);
		vsnprintf(reason, sizeof(reason), fmt, ap);
		va_end(ap);
	}
	return ok;
}

static void skip(const char *why)
{
	if (result == PASSED) {
		result = SKIPPED;
		snprintf(reason, sizeof(reason), "%s", why);
	}
}

/* Returns whether the case did not fail. */
static bool print_outcome(unsigned int number, const char *name)
{
	printf("%sok %u %s", result == FAILED ? "not " : "", number, name);
	if (result == SKIPPED)
		printf(" # SKIP %s", reason);
	else if (result == FAILED)
		printf(" # %s", reason);
	printf("\n");
	return result != FAILED;
}

#endif
