// SPDX-License-Identifier: GPL-2.0-only
/// An mmu notifier callback must not sleep in a range that is not blockable,
/// refuses only such a range, and returns 0 or -EAGAIN (an interval notifier:
/// true or false).
///
//# Callbacks are invalidate_range_start() and invalidate_range_end() of struct
//# mmu_notifier_ops, invalidate() and invalidate_start() of struct
//# mmu_interval_notifier_ops, and sync_cpu_device_pagetables() of struct
//# hmm_mirror_ops. They are followed into the functions that they call or pass
//# on, through the same file and the headers beside it; and through several
//# files if spatch is given several.
//#
//# A branch that is taken for blockable ranges only may sleep. Its condition is
//# mmu_notifier_range_blockable(), or a variable or member with "block" in its
//# name. False positives come from other conditions, an event that no
//# non-blocking range has, say; what sleeps in another file is missed.
///
// Confidence: Moderate
// Options: --local-includes

virtual org
virtual report

@initialize:python@
@@

import re

sleeping = re.compile(r"""(?!\w*trylock)(
    (rt_|ww_)?mutex_lock(_\w+)? | down | down_(read|write|interruptible|killable)(_\w+)? |
    mmap_(read|write)_lock(_killable)? | percpu_down_(read|write) | dma_resv_lock(_\w+)? |
    wait_(event|for_completion|on_)\w* | (dma|reservation)_\w*wait\w* | flush_(delayed_)?work(queue)? |
    cancel_(delayed_)?work_sync | synchronize_s?rcu\w* | [mfs]sleep | usleep_range | schedule |
    schedule_timeout\w* | might_sleep | cond_resched | kthread_stop | unpin_user_pages_dirty_lock
)""", re.VERBOSE)
called_back = re.compile("invalidate(_range)?(_start|_end)?|sync_cpu_device_pagetables")
interval = ("invalidate", "invalidate_start")   # true or false; the others: 0 or -EAGAIN
functions, callbacks, calls, sleeps, told = set(), {}, {}, {}, set()
as_org = False


def flat(code):
    """Give code without the blanks of its tokens."""
    return "".join(str(code).split())


def tell(where, text):
    """Print a finding, once."""
    if (where.file, where.line, text) not in told:
        told.add((where.file, where.line, text))
        (coccilib.org.print_todo if as_org else coccilib.report.print_report)(where, text)


def way_to_sleep(start):
    """Give the shortest chain of calls from a function to one that sleeps, and what that does."""
    ways = [[start]]
    seen = {start}
    for way in ways:
        if way[-1] in sleeps:
            return way, sleeps[way[-1]][0]
        new = [callee for callee, _ in calls.get(way[-1], []) if callee not in seen]
        seen.update(new)
        ways += [way + [callee] for callee in new]
    return None


def by_line(found):
    """Sort what was found in a function."""
    return sorted(found, key=lambda one: int(one[1].line))


def report_sleepers():
    """Report where a callback sleeps, and where it calls what does; forget all."""
    for callback in callbacks:
        for code, where in by_line(sleeps.get(callback, [])):
            tell(where, f"{callback}() may sleep in a non-blocking range: {code}")
        for callee, where in by_line(calls.get(callback, [])):
            found = way_to_sleep(callee)
            if found:
                way, (code, end) = found
                tell(where, f"{callback}() may sleep in a non-blocking range: "
                            f"{' -> '.join(way)} -> {code}, {end.file.split('/')[-1]}:{end.line}")
    for seen in (functions, callbacks, calls, sleeps):
        seen.clear()


@script:python depends on org@
@@
as_org = True

@cb@
identifier m : script:python() { bool(called_back.fullmatch(str(m))) };
identifier ops, f;
@@
(
struct mmu_notifier_ops ops = { .m = f, };
|
struct mmu_interval_notifier_ops ops = { .m = f, };
|
struct hmm_mirror_ops ops = { .m = f, };
)

@script:python@
m << cb.m;
f << cb.f;
@@
callbacks[str(f)] = str(m)

// ---- Who sleeps: calls and sleeps on paths on which the range may not be blockable.

@defined depends on cb@
identifier g;
@@
g(...) { ... }

@script:python@
g << defined.g;
@@
functions.add(str(g))

@call depends on cb exists@
identifier g;
identifier h : script:python() { str(h) in functions };
identifier b =~ "block", m =~ "block";
expression E;
position p;
@@
g(...)
{
	... when != true mmu_notifier_range_blockable(...)
	    when != false !mmu_notifier_range_blockable(...)
	    when != true b
	    when != false !b
	    when != true E->m
	    when != false !E->m
	    when any
	h@p
	... when any
}

@script:python@
g << call.g;
h << call.h;
p << call.p;
@@
calls.setdefault(str(g), []).append((str(h), p[0]))

@sleep depends on cb exists@
identifier g;
identifier b =~ "block", m =~ "block";
identifier alloc;
identifier s : script:python() { bool(sleeping.fullmatch(str(s))) };
expression E, flags, x;
position p;
@@
g(...)
{
	... when != true mmu_notifier_range_blockable(...)
	    when != false !mmu_notifier_range_blockable(...)
	    when != true b
	    when != false !b
	    when != true E->m
	    when != false !E->m
	    when any
(
	s(...)@x@p
|
	alloc(..., GFP_KERNEL, ...)@x@p
|
	alloc(..., GFP_KERNEL | flags, ...)@x@p
)
	... when any
}

@script:python@
g << sleep.g;
x << sleep.x;
p << sleep.p;
@@
sleeps.setdefault(str(g), []).append((flat(x), p[0]))

// ---- What is returned. An end returns nothing.

@returned depends on cb@
identifier cb.f;
expression x;
position p;
@@
f(...)
{
	<...
	return@p x;
	...>
}

@script:python@
m << cb.m;
f << cb.f;
x << returned.x;
p << returned.p;
@@
value = flat(x)
if m in interval:
    if value.startswith("-"):
        tell(p[0], f"{f}() returns {value}, which is true: it would be taken for done")
elif not value.isidentifier() and value not in ("0", "-EAGAIN"):
    tell(p[0], f"{f}() returns {value}: it has to be 0 or -EAGAIN")

@assigned depends on cb exists@
identifier cb.f;
identifier r;
type T;
expression x, y;
position p;
@@
f(...)
{
	... when any
(
	r = x@p;
|
	T r = x@p;
)
	... when != r = y
	    when != false r
	    when != true !r
	    when != true r == 0
	return r;
}

@script:python@
m << cb.m;
f << cb.f;
x << assigned.x;
p << assigned.p;
@@
value = flat(x)
if m not in interval and value not in ("0", "-EAGAIN"):
    tell(p[0], f"{f}() returns what {value} gives: it has to be 0 or -EAGAIN")

// ---- Who refuses a range that may be blockable.

@refuses depends on cb exists@
identifier cb.f;
identifier b =~ "block", m =~ "block", try;
expression E, x;
position p;
@@
f(...)
{
	... when != true <+... !mmu_notifier_range_blockable(...) ...+>
	    when != true <+... !b ...+>
	    when != true <+... !E->m ...+>
	    when != true try(..., b, ...)
	    when != true try(..., E->m, ...)
	    when any
	return@p x;
}

@script:python@
m << cb.m;
f << cb.f;
x << refuses.x;
p << refuses.p;
@@
if flat(x) == "-EAGAIN" or m in interval and flat(x) in ("false", "0"):
    tell(p[0], f"{f}() refuses a range that may be blockable")

@script:python depends on cb@
@@
report_sleepers()
