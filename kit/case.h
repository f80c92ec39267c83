/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the cases (mn-kit.c) and the report on them (main.c) share.
 */
#ifndef MN_KIT_CASE_H
#define MN_KIT_CASE_H

#include <stdbool.h>

#include "mn_kit.h"
#include "victim.h"

#define MAX_CASES	64

enum danger {
	SAFE,		/* on any kernel, and at most 500 lines in the log of all these */
	LOGS,		/* an affected kernel logs much */
	WARNS,		/* an affected kernel prints a warning and is tainted */
	HANGS,		/* an affected kernel keeps an unkillable task */
};

/* What a failure of the case says about the kernel */
enum meaning {
	CONTROL,	/* no known kernel fails it: nothing about the bug */
	LESSER,		/* affected by a lesser part of the bug */
	UNPAIRED,	/* affected: starts and ends are not paired */
	STAYS_OPEN,	/* affected: a range stays open, a process can hang */
};

struct kit_case {
	const char *name;
	enum danger danger;
	enum meaning meaning;
	void (*run)(const struct kit_case *self, struct victim *v);
	unsigned int others;	/* notifiers next to the refuser; or rounds */
	int position;		/* of the refuser */
	unsigned int kind;
	struct victim_opts opts;
	bool no_victim;
};

extern const struct kit_case cases[];
extern const unsigned int nr_cases;

extern int ctl;			/* a session for marks and information */
extern struct mn_kit_info info;
extern bool marks;		/* each case leaves two lines in the kernel's log */

/* Run one case; its outcome is in outcome.h. */
void run_case(const struct kit_case *c);

#endif
