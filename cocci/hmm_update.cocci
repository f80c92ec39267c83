// SPDX-License-Identifier: GPL-2.0-only
/// Convert a driver from struct hmm_update to struct mmu_notifier_range: what
/// sync_cpu_device_pagetables() of struct hmm_mirror_ops is told since then.
///
//# start and end mean the same in both. blockable is asked by
//# mmu_notifier_range_blockable(). event had one value and goes; where it is
//# used in another way than to compare or set it, it is left and reported: an
//# event of struct mmu_notifier_range has other values. A parameter gets the
//# name range, unless its function has something of that name. Kernel-doc of a
//# parameter is a comment and is left to the reader.
///
// Confidence: High
// Options: --no-includes --include-headers

virtual patch
virtual report

// ---- the event, which is always HMM_UPDATE_INVALIDATE

@depends on patch@
struct hmm_update *u;
statement S;
@@
(
- if (u->event != HMM_UPDATE_INVALIDATE) S
|
- if (u->event == HMM_UPDATE_INVALIDATE) {
  ...
- }
|
- if (u->event == HMM_UPDATE_INVALIDATE)
  S
|
- u->event = HMM_UPDATE_INVALIDATE;
)

// ---- the fields

@depends on patch@
struct hmm_update *u;
@@
- u->blockable
+ mmu_notifier_range_blockable(u)

// ---- the name of the parameter

@taken@
identifier f, u;
symbol range;
position p;
@@
f@p(..., struct hmm_update *u, ...)
{
	<+... range ...+>
}

@depends on patch@
identifier f, u;
position p != taken.p;
@@
f@p(...,
-	const struct hmm_update *u
+	const struct mmu_notifier_range *range
	, ...)
{
	<...
-	u
+	range
	...>
}

@depends on patch@
identifier f, u;
type T;
@@
T f(...,
-	const struct hmm_update *u
+	const struct mmu_notifier_range *range
	, ...);

// ---- the type elsewhere: other variables, and where the name was taken

@depends on patch@
@@
- struct hmm_update *
+ struct mmu_notifier_range *

// ---- report

@callback depends on report@
identifier f, u;
position p;
@@
f@p(..., struct hmm_update *u, ...) { ... }

@script:python@
f << callback.f;
p << callback.p;
@@
coccilib.report.print_report(p[0], f"{f}() gets a struct hmm_update")

@dead depends on report@
struct hmm_update *u;
position p;
@@
(
 u@p->event != HMM_UPDATE_INVALIDATE
|
 u@p->event == HMM_UPDATE_INVALIDATE
|
 u@p->event = HMM_UPDATE_INVALIDATE
)

@event depends on report@
struct hmm_update *u;
position p != dead.p;
@@
u@p->event

@script:python@
p << event.p;
@@
coccilib.report.print_report(p[0], "event is left to you: that of a range is an enum mmu_notifier_event")
