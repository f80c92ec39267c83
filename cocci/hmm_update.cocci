// SPDX-License-Identifier: GPL-2.0-only
/// Convert a driver from struct hmm_update to struct mmu_notifier_range, the
/// parameter of sync_cpu_device_pagetables() of struct hmm_mirror_ops.
///
//# start and end mean the same in both. blockable becomes
//# mmu_notifier_range_blockable(). event was always HMM_UPDATE_INVALIDATE: a
//# comparison goes, another use becomes that constant. The constant is then
//# undeclared, so that the compiler and -D report show what is left to do. A
//# parameter gets the name range, unless its function uses that name. Comments
//# are not edited.
///
// Confidence: High
// Options: --no-includes --include-headers

virtual patch
virtual report

@initialize:python@
@@
import mmap

EVENT = "event is left to you: it was always HMM_UPDATE_INVALIDATE"
BLOCKABLE = "blockable is left to you: it is a flag of a range"
seen = mmap.mmap(-1, 1)    # shared with the processes of --jobs: something was reported


def tell(where, text):
    seen[0] = True
    coccilib.report.print_report(where, text)

// ---- whether there is anything to look at

@mention@
type T = struct hmm_update;
position p;
@@
T@p

@ranged@
type T = struct mmu_notifier_range;
@@
T

// ---- the event, which is always HMM_UPDATE_INVALIDATE

@depends on patch && mention@
struct hmm_update *u;
struct hmm_update v;
@@
(
- u->event = HMM_UPDATE_INVALIDATE;
|
- v.event = HMM_UPDATE_INVALIDATE;
)

@depends on patch && mention@
struct hmm_update *u;
struct hmm_update v;
@@
(
- u->event == HMM_UPDATE_INVALIDATE
+ HMM_ALWAYS
|
- v.event == HMM_UPDATE_INVALIDATE
+ HMM_ALWAYS
|
- u->event != HMM_UPDATE_INVALIDATE
+ HMM_NEVER
|
- v.event != HMM_UPDATE_INVALIDATE
+ HMM_NEVER
|
- u->event
+ HMM_UPDATE_INVALIDATE
|
- v.event
+ HMM_UPDATE_INVALIDATE
)

@depends on patch && mention@
symbol HMM_ALWAYS, HMM_NEVER;
expression E, F;
@@
(
- HMM_ALWAYS && E
+ E
|
- E && HMM_ALWAYS
+ E
|
- HMM_NEVER || E
+ E
|
- E || HMM_NEVER
+ E
|
- HMM_ALWAYS ? E : F
+ E
|
- HMM_NEVER ? E : F
+ F
)

@depends on patch && mention@
symbol HMM_ALWAYS, HMM_NEVER;
statement S;
@@
(
- if (HMM_NEVER) S
|
- if (HMM_ALWAYS) {
  ...
- }
|
- if (HMM_ALWAYS)
  S
)

@depends on patch && mention@
symbol HMM_ALWAYS, HMM_NEVER;
@@
(
- HMM_ALWAYS
+ true
|
- HMM_NEVER
+ false
)

// ---- blockable; what fills it in is left, and reported

@filled depends on mention || ranged@
expression E;
struct hmm_update *u;
struct hmm_update v;
struct mmu_notifier_range r;
position p;
@@
\(u->blockable@p\|v.blockable@p\|r.blockable@p\) = E

@depends on patch && mention@
struct hmm_update *u;
struct hmm_update v;
position p != filled.p;
@@
(
- u->blockable@p
+ mmu_notifier_range_blockable(u)
|
- v.blockable@p
+ mmu_notifier_range_blockable(&v)
)

// ---- the name of the parameter

@taken depends on mention@
identifier f, u;
symbol range;
position p;
@@
f@p(..., struct hmm_update *u, ...)
{
	<+... range ...+>
}

@depends on patch && mention@
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

@depends on patch && mention@
identifier f, u;
type T;
@@
T f(...,
-	const struct hmm_update *u
+	const struct mmu_notifier_range *range
	, ...);

// ---- the type elsewhere: variables, members, sizeof, and where the name was taken

@depends on patch && mention@
@@
- struct hmm_update
+ struct mmu_notifier_range

// ---- report: what is to be converted, and what is left to the reader

@script:python depends on report@
p << mention.p;
@@
tell(p[0], "struct hmm_update: -D patch converts it")

@older depends on report@
identifier f, u;
position p;
@@
f@p(..., enum hmm_update_type u, ...) { ... }

@script:python@
f << older.f;
p << older.p;
@@
tell(p[0], f"{f}() has older parameters: give it a struct hmm_update first")

@compared depends on report && mention@
struct hmm_update *u;
struct hmm_update v;
position p, q;
@@
(
u->event@p == HMM_UPDATE_INVALIDATE@q
|
v.event@p == HMM_UPDATE_INVALIDATE@q
|
u->event@p != HMM_UPDATE_INVALIDATE@q
|
v.event@p != HMM_UPDATE_INVALIDATE@q
|
u->event@p = HMM_UPDATE_INVALIDATE@q
|
v.event@p = HMM_UPDATE_INVALIDATE@q
)

@event depends on report && mention@
struct hmm_update *u;
struct hmm_update v;
position p != compared.p;
@@
(
u->event@p
|
v.event@p
)

@always depends on report@
position p != compared.q;
@@
HMM_UPDATE_INVALIDATE@p

@script:python@
p << event.p;
@@
tell(p[0], EVENT)

@script:python@
p << always.p;
@@
tell(p[0], EVENT)

@initialized depends on report && (mention || ranged)@
identifier x;
expression E;
position p;
@@
(
struct hmm_update x@p = { .blockable = E, };
|
struct mmu_notifier_range x@p = { .blockable = E, };
)

@script:python@
p << initialized.p;
@@
tell(p[0], BLOCKABLE)

@script:python depends on report@
p << filled.p;
@@
tell(p[0], BLOCKABLE)

@known depends on report && (mention || ranged)@
identifier S;
struct S *u;
struct S v;
position p;
@@
(
u->blockable@p
|
v.blockable@p
|
u->event@p
|
v.event@p
)

@unknown depends on report && (mention || ranged)@
expression E;
position p != {known.p, filled.p};
@@
(
E->blockable@p
|
E.blockable@p
|
E->event@p
|
E.event@p
)

@script:python@
p << unknown.p;
@@
tell(p[0], "a member of an unknown structure: check whether it is an update")

@kept depends on report && (mention || ranged)@
struct hmm_update *u;
struct mmu_notifier_range *r;
expression E;
identifier m;
position p;
@@
(
E->m@p = \(u\|*u\|r\|*r\)
|
E.m@p = \(u\|*u\|r\|*r\)
|
memcpy@p(E, \(u\|r\), ...)
|
kmemdup@p(\(u\|r\), ...)
)

@script:python@
p << kept.p;
@@
tell(p[0], "a copy of the range: check that it does not outlive the callback")

@finalize:python depends on report@
@@
if not seen[0]:
    print("no struct hmm_update found")
