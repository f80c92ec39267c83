/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The outcome of the case that is running.  expect() is for what the kernel does,
 * need() and skip() are for what the case itself needs: a case that cannot be set
 * up tells nothing about the kernel.
 */
#ifndef MN_KIT_OUTCOME_H
#define MN_KIT_OUTCOME_H

#include <stdbool.h>

enum outcome { PASSED, FAILED, SKIPPED };

#define REASON_LEN	256

/* The first failure or skip counts; set to PASSED where a case begins */
extern enum outcome result;
extern char reason[REASON_LEN];

__attribute__((format(printf, 2, 3)))
bool expect(bool ok, const char *fmt, ...);	/* else the case fails; returns ok */
__attribute__((format(printf, 2, 3)))
bool need(bool ok, const char *fmt, ...);	/* else the case is skipped; returns ok */
void skip(const char *why);

/* Print the line of KTAP.  Returns whether the case did not fail. */
bool print_outcome(unsigned int number, const char *name);

#endif
