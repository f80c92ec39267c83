// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>

#include "outcome.h"

enum outcome result;
char reason[REASON_LEN];

static void conclude(enum outcome outcome, const char *fmt, va_list ap)
{
	if (result != PASSED)
		return;
	result = outcome;
	vsnprintf(reason, sizeof(reason), fmt, ap);
}

bool expect(bool ok, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!ok)
		conclude(FAILED, fmt, ap);
	va_end(ap);
	return ok;
}

bool need(bool ok, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!ok)
		conclude(SKIPPED, fmt, ap);
	va_end(ap);
	return ok;
}

void skip(const char *why)
{
	need(false, "%s", why);
}

bool print_outcome(unsigned int number, const char *name)
{
	printf("%sok %u %s", result == FAILED ? "not " : "", number, name);
	if (result == SKIPPED)
		printf(" # SKIP %s", reason);
	else if (result == FAILED)
		printf(" # %s", reason);
	printf("\n");
	return result != FAILED;
}
