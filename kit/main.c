// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program around the cases: options, the claim on the module, the report and
 * its verdict.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "case.h"
#include "outcome.h"

/* The session of a run that was killed is gone by then, unless it is stuck */
#define LEFTOVER_MS	3000

enum { OK, CASE_FAILED, USAGE, CANNOT_RUN, NO_VERDICT };	/* the exit status */

enum verdict { NOT_AFFECTED, AFFECTED, UNKNOWN };

static const char *const verdicts[] = { "not-affected", "affected", "unknown" };
static const char *const dangers[] = { "safe", "logs", "warns", "hangs" };
static const char *const outcomes[] = { "pass", "fail", "skip" };

int ctl = -1;
struct mn_kit_info info;
bool marks;

static enum danger limit = SAFE;
static bool json, named, check;
static bool selected[MAX_CASES];
static struct {
	enum outcome outcome;
	char reason[REASON_LEN];
} results[MAX_CASES];
static unsigned int counts[3];	/* by outcome */

/* Does any verdict depend on the case?  Only on those that this mode runs. */
static bool is_needed(unsigned int i)
{
	return cases[i].meaning >= UNPAIRED && cases[i].danger <= limit;
}

static bool has(unsigned int i, enum outcome outcome)
{
	return selected[i] && results[i].outcome == outcome;
}

/* How badly the kernel is affected; the worst case that failed counts. */
static const char *severity(enum meaning worst, bool open_tested)
{
	if (worst == STAYS_OPEN)
		return "affected: a refused reap leaves a range open, and can hang a process";
	if (open_tested)
		return "affected, but not by the hang";
	return "affected; whether it can hang a process was not tested";
}

/* Note a case of some kind, the first or a worse one; count them. */
static void note(unsigned int *count, unsigned int *which, unsigned int i, bool worse)
{
	if (!*count || worse)
		*which = i;
	++*count;
}

/* The verdict, and a text that says why. */
static enum verdict judge(char *text, size_t size)
{
	unsigned int i, own = 0, worst = 0, controls = 0, control = 0, missing = 0, lacks = 0;
	bool open_tested = false;
	char more[32] = "";
	const char *why;

	for (i = 0; i < nr_cases; i++) {
		if (has(i, FAILED) && cases[i].meaning == CONTROL)
			note(&controls, &control, i, false);
		else if (has(i, FAILED))
			note(&own, &worst, i, cases[i].meaning > cases[worst].meaning);
		if (is_needed(i) && (!selected[i] || has(i, SKIPPED)))
			note(&missing, &lacks, i, selected[i] && !selected[lacks]);
		open_tested |= cases[i].meaning == STAYS_OPEN && has(i, PASSED);
	}
	if (own > 1 || (!own && !controls && missing > 1))
		snprintf(more, sizeof(more), " and %u more", (own ? own : missing) - 1);
	if (own) {
		snprintf(text, size, "this kernel is %s (%s%s)",
			 severity(cases[worst].meaning, open_tested), cases[worst].name, more);
		return AFFECTED;
	}
	if (controls) {
		snprintf(text, size,
			 "no verdict on this kernel: %s failed, which is not the bug: %s",
			 cases[control].name, results[control].reason);
		return UNKNOWN;
	}
	if (missing) {
		why = selected[lacks] ? results[lacks].reason : "not selected";
		snprintf(text, size, "no verdict on this kernel: %s%s did not run: %s",
			 cases[lacks].name, more, why);
		return UNKNOWN;
	}
	snprintf(text, size, "this kernel is not affected as far as was tested");
	return NOT_AFFECTED;
}

static void print_string(const char *text)
{
	putchar('"');
	while (*text) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar((unsigned char)*text < ' ' ? ' ' : *text);
		text++;
	}
	putchar('"');
}

static void print_json(enum verdict verdict, const char *text, const char *release)
{
	static const char *const yes[] = { "false", "true" };
	const char *comma = "";
	unsigned int i;

	printf("{\"verdict\": \"%s\", \"text\": ", verdicts[verdict]);
	print_string(text);
	printf(", \"kernel\": ");
	print_string(release);
	printf(",\n \"mode\": \"%s\"", limit == SAFE ? "safe" : "all");
	for (i = 0; i < 3; i++)
		printf(", \"%s\": %u", outcomes[i], counts[i]);
	printf(",\n \"cases\": [");
	for (i = 0; i < nr_cases; i++) {
		if (!selected[i])
			continue;
		printf("%s\n  {\"name\": \"%s\", \"result\": \"%s\", \"bug\": %s, \"reason\": ",
		       comma, cases[i].name, outcomes[results[i].outcome],
		       yes[cases[i].meaning != CONTROL]);
		print_string(results[i].reason);
		printf("}");
		comma = ",";
	}
	printf("]}\n");
}

static int report(void)
{
	struct utsname machine = { 0 };
	enum verdict verdict;
	bool lacking = false;
	char text[512];
	unsigned int i;

	uname(&machine);
	verdict = judge(text, sizeof(text));
	for (i = 0; i < nr_cases; i++)
		lacking |= is_needed(i) && has(i, SKIPPED);
	if (json)
		print_json(verdict, text, machine.release);
	else
		printf("# mn-kit verdict=%s kernel=%s mode=%s pass=%u fail=%u skip=%u\n# %s\n",
		       verdicts[verdict], machine.release, limit == SAFE ? "safe" : "all",
		       counts[PASSED], counts[FAILED], counts[SKIPPED], text);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "mn-kit: the results cannot be written (disk full?)\n");
		return CANNOT_RUN;
	}
	return counts[FAILED] ? CASE_FAILED : lacking ? NO_VERDICT : OK;
}

static int usage(FILE *out)
{
	fprintf(out,
		"usage: mn-kit [--all] [--case NAME]... [--json] [--list]\n"
		"  without --all only cases that neither hang an affected kernel nor make\n"
		"  it print a warning or many lines; with it in a throwaway guest only\n"
		"exit status: 0 all passed, 1 a case failed, 2 bad usage, 3 the kit could\n"
		"  not run, 4 a case that the verdict needs could not run\n");
	return out == stdout ? OK : USAGE;
}

/* Returns an exit status, or -1 to go on. */
static int parse(int argc, char **argv)
{
	unsigned int i;
	int a;

	for (a = 1; a < argc; a++) {
		if (!strcmp(argv[a], "--help") || !strcmp(argv[a], "-h"))
			return usage(stdout);
		if (!strcmp(argv[a], "--check")) {
			check = true;
		} else if (!strcmp(argv[a], "--all")) {
			limit = HANGS;
		} else if (!strcmp(argv[a], "--json")) {
			json = true;
		} else if (!strcmp(argv[a], "--list")) {
			for (i = 0; i < nr_cases; i++)
				printf("%s %s\n", cases[i].name, dangers[cases[i].danger]);
			return OK;
		} else if (!strcmp(argv[a], "--case") && a + 1 < argc) {
			named = true;
			a++;
			for (i = 0; i < nr_cases; i++)
				if (!strcmp(argv[a], cases[i].name))
					break;
			if (i == nr_cases) {
				fprintf(stderr, "mn-kit: no case %s, see --list\n", argv[a]);
				return USAGE;
			}
			selected[i] = true;
		} else {
			fprintf(stderr, "mn-kit: what is %s?\n", argv[a]);
			return usage(stderr);
		}
	}
	for (i = 0; i < nr_cases; i++) {
		if (named && selected[i] && cases[i].danger > limit) {
			fprintf(stderr, "mn-kit: %s needs --all\n", cases[i].name);
			return USAGE;
		}
		selected[i] = (!named || selected[i]) && cases[i].danger <= limit;
	}
	return check ? OK : -1;
}

/* Have the module to ourselves.  Returns an exit status, or -1 to go on. */
static int claim(void)
{
	struct mn_kit_wait alone = { .what = MN_KIT_ALONE, .timeout_ms = LEFTOVER_MS };
	bool unlocked;

	if (geteuid()) {
		fprintf(stderr, "mn-kit: needs root: sudo kit/run\n");
		return CANNOT_RUN;
	}
	ctl = open("/dev/mn_kit", O_RDWR | O_CLOEXEC);
	if (ctl < 0) {
		fprintf(stderr, "mn-kit: /dev/mn_kit: %s (%s)\n", strerror(errno),
			errno == EPERM || errno == EACCES ?
				"needs CAP_SYS_ADMIN on the host" :
				"start it with kit/run, which loads mn_kit.ko");
		return CANNOT_RUN;
	}
	/* No child has it, so it goes with this process */
	unlocked = flock(ctl, LOCK_EX | LOCK_NB);
	if (unlocked && errno == EWOULDBLOCK) {
		fprintf(stderr, "mn-kit: another run is under way, wait for its end\n");
		return CANNOT_RUN;
	}
	if (kit_call(ctl, MN_KIT_INFO, &info) || info.version != MN_KIT_VERSION) {
		fprintf(stderr, "mn-kit: the module is not of this version: rmmod mn_kit\n");
		return CANNOT_RUN;
	}
	if (kit_call(ctl, MN_KIT_WAIT, &alone)) {
		fprintf(stderr, "mn-kit: %s\n", unlocked ?
			"another run is under way, or stuck in this kernel: reboot first" :
			"an earlier run is stuck in this kernel: reboot first");
		return CANNOT_RUN;
	}
	return -1;
}

int main(int argc, char **argv)
{
	unsigned int i, n = 0;
	int status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	status = parse(argc, argv);
	if (status < 0)
		status = claim();
	if (status >= 0)
		return fflush(stdout) || ferror(stdout) ? CANNOT_RUN : status;

	marks = limit != SAFE || named;
	for (i = 0; i < nr_cases; i++)
		n += selected[i];
	if (!json)
		printf("KTAP version 1\n1..%u\n", n);
	n = 0;
	for (i = 0; i < nr_cases; i++) {
		if (!selected[i])
			continue;
		result = PASSED;
		reason[0] = 0;
		run_case(&cases[i]);
		results[i].outcome = result;
		memcpy(results[i].reason, reason, sizeof(reason));
		counts[result]++;
		n++;
		if (!json)
			print_outcome(n, cases[i].name);
	}
	return report();
}
