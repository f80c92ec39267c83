// SPDX-License-Identifier: GPL-2.0-only
/// An mmu notifier callback must not sleep in a range that is not blockable. It
/// fails only in such a range, and then returns -EAGAIN (an interval notifier:
/// false).
///
//# A callback is a function with the parameters of invalidate_range_start() or
//# invalidate_range_end() of struct mmu_notifier_ops, of invalidate() or
//# invalidate_start() of struct mmu_interval_notifier_ops, or of
//# sync_cpu_device_pagetables() of struct hmm_mirror_ops. Each one is named. It
//# is followed into the functions that it calls or passes on, in the files that
//# spatch gets and in the headers next to them. Reclaim starts ranges, so no
//# callback may enter direct reclaim, not even in a blockable range.
//#
//# A condition implies a blockable range if it is, or combines,
//# mmu_notifier_range_blockable(), a variable that has its result, a variable
//# or member such as "blockable" or "may_block", or the event
//# MMU_NOTIFY_RELEASE. Other conditions can cause false positives.
///
// Confidence: Moderate
// Options: --local-includes

virtual org
virtual report

@initialize:python@
@@

import mmap
import re
import types

SLEEPS = re.compile(r"""
    (\w+_)?mutex_lock(_\w+)? | (\w+_)?down_(read|write)(_(nested|killable|interruptible))? |
    down(_(interruptible|killable|timeout))? | (\w+_)?mmap_(read|write)_lock(_killable)? |
    dma_resv_lock(_\w+)? | s?wait_(event|for_completion|on_|var_)\w* |
    (dma|reservation)_\w*wait\w* | (flush|drain)_(delayed_)?work(queue)? |
    cancel_(delayed_)?work_sync | synchronize_(irq|net|s?rcu\w*) | s?rcu_barrier |
    kthread_(stop|flush_work(er)?) | [mfs]sleep | msleep_interruptible | usleep_range |
    (io_)?schedule(_timeout\w*)? | might_sleep | cond_resched | \w+_poll_timeout |
    (folio_lock|lock_page|set_page_dirty_lock|unpin_user_pages_dirty_lock)(_killable)? |
    (get|pin)_user_pages(_fast|_remote|_unlocked)? | copy_(from|to)_user | mmput |
    ttm_bo_reserve | drm_modeset_lock\w* | pm_runtime_(get_sync|resume(_and_get)?)
""", re.VERBOSE)
GUARDS = re.compile(r"(\w+_)?mutex|rwsem_(read|write)|mmap_(read|write)_lock")
RECLAIM = re.compile(r"""GFP_(KERNEL(_ACCOUNT)?|NOFS|NOIO|USER|HIGHUSER(_MOVABLE)?|TRANSHUGE) |
    __GFP_(DIRECT_)?RECLAIM""", re.VERBOSE)
ALLOCATES = re.compile(r"kv?[mz]alloc_(objs?|flex) | v[mz]alloc(_\w+)? | vcalloc", re.VERBOSE)
ERASES = re.compile(r"__xa_(store|cmpxchg)\(.*,NULL,\w+\)")    # stores nothing: allocates nothing
LATER = re.compile(r"_*(INIT_(DELAYED_|RCU_)?WORK\w*|kthread_init_(delayed_)?work|call_s?rcu\w*|"
                   r"(timer|hrtimer|tasklet)_setup\w*)|dma_fence_add_callback")
ITSELF = re.compile("mmu_interval_(notifier_remove|read_begin)|mmu_notifier_unregister")
BLOCKS = re.compile(r"""mmu_notifier_range_blockable\(.*\) | .*&MMU_NOTIFIER_RANGE_BLOCKABLE |
    (\w+(\.|->))*(\w*_)?(?<!non_)(?<!no_)block(able|ing)?""", re.VERBOSE)
WAITS = re.compile(r"(\w+(\.|->))*((can|may)_(sleep|wait)|sleepable)")
RELEASE = re.compile(r"([\w.]|->)*event==MMU_NOTIFY_RELEASE")
OPS = re.compile(r"\b(mmu_notifier|mmu_interval_notifier|hmm_mirror)_ops\b")
OURS = re.compile("invalidate_range_(start|end)|sync_cpu_device_pagetables")
CALLBACK = re.compile(r"""\b(\w+)\(struct\s(?:mmu_(?:interval_)?notifier|hmm_mirror)\s\*\w+,\s*
    const\sstruct\s(?:mmu_notifier_range|hmm_update)\s\*[^;{}]*\{""", re.VERBOSE)
MEMBERS = re.compile("invalidate(_range)?(_start|_end)?|sync_cpu_device_pagetables")
DONE, REFUSED = {"int": ("0",), "bool": ("true", "1")}, {"int": ("-EAGAIN",), "bool": ("false", "0")}
RIGHT = "0 if the range is blockable, otherwise 0 or -EAGAIN"
seen = mmap.mmap(-1, 1)    # shared with the processes of --jobs: a callback was found
as_org = False
asked_for = []             # variables whose values are being looked at: they can be a circle


class Files:
    """What is known of the files of one run."""

    def __init__(self):
        self.types, self.places, self.named, self.callbacks = {}, {}, {}, {}
        self.pointers, self.edges, self.followed, self.hot = {}, {}, set(), set()
        self.aliases, self.guarded, self.calls, self.sleeps = {}, set(), {}, {}
        self.greedy, self.saving, self.passes, self.wrongs = set(), set(), {}, {}
        self.absent, self.later, self.doubtful = {}, set(), set()
        self.values, self.early, self.excused, self.told = {}, {}, set(), set()
        self.dropped, self.ranges = [], set()
        self.assigned, self.asking, self.failing, self.returning = {}, set(), {}, set()


now = Files()


def flat(code):
    """Give code without the blanks of its tokens, but for those between two words."""
    return re.sub(r"(?<!\w)\s+|\s+(?!\w)", "", str(code))


def parts(code, mark):
    """Split code at an operator that is in no parentheses."""
    depth, last, found = 0, 0, []
    for at, char in enumerate(code):
        depth += (char in "([") - (char in ")]")
        if not depth and code.startswith(mark, at):
            found.append(code[last:at])
            last = at + len(mark)
    return found + [code[last:]]


def bare(code):
    """Take off parentheses, assignments and macros that do not change a truth value."""
    code = re.sub(r"^\w+=(?!=)", "", code)
    wrapped = re.fullmatch(r"(likely|unlikely|WARN_ON|WARN_ON_ONCE|)\((.*)\)", code)
    return bare(wrapped[2]) if wrapped and parts(code, ")")[1:] == [""] else code


def implied(code, truth, atom):
    """Say if atom(part, truth) holds for a part of a condition that is true, or false."""
    code = bare(code)
    for mark, every in (("||", truth), ("&&", not truth)):
        some = parts(code, mark)
        if len(some) > 1:
            return (all if every else any)(implied(one, truth, atom) for one in some)
    if code.startswith("!"):
        return implied(code[1:], not truth, atom)
    compared = re.fullmatch(r"(.+?)(==|!=|<)(false|true|0|1|-EAGAIN)", code)
    if compared:
        same = compared[2] == "<" or (compared[2] == "==") == (compared[3] not in ("false", "0"))
        return implied(compared[1], truth == same, atom)
    return atom(code, truth)


def by_value(name, truth, atom):
    """Say if atom() holds for each value that makes a variable true, or false."""
    values = now.aliases.get(name, set()) - set(("0", "false") if truth else ("true", "1"))
    if not values or name in asked_for or len(asked_for) > 3:
        return False
    asked_for.append(name)
    held = all([implied(value, truth, atom) for value in values])
    asked_for.pop()
    return held


def blocking(code, truth):
    """Say if a condition implies a blockable range."""
    if by_value(code, truth, blocking):
        return True
    return truth and bool(BLOCKS.fullmatch(code) or RELEASE.fullmatch(code))


def refusing(code, truth):
    """Say if a condition implies a range that is not blockable."""
    return by_value(code, truth, refusing) or not truth and bool(BLOCKS.fullmatch(code))


def permitted(code, truth):
    """Say if a condition implies that a caller, not the range, permits to sleep."""
    return truth and bool(WAITS.fullmatch(code)) and not by_value(code, truth, blocking)


def failed(code, truth):
    """Say if a condition implies that a function that can refuse has done so."""
    kind = now.failing.get(called(code))
    return bool(kind) and truth == (kind == "int")


def excuse(code, truth):
    """Say if a refusal under a condition is right, as far as the condition tells."""
    def asked(part, holds):
        call = re.fullmatch(r"(\w+)\((.*)\)", part)
        if not call or BLOCKS.fullmatch(part) or not any(one in now.ranges or BLOCKS.fullmatch(one)
                               for one in parts(call[2], ",")):
            return refusing(part, holds) or by_value(part, holds, asked)
        if call[1] in now.failing:
            now.excused.add(call[1])
            return failed(part, holds)
        return truth and call[1] not in now.types
    return implied(flat(code), truth, asked)


def always(code, truth):
    return implied(flat(code), truth, blocking)


def tell(where, text):
    """Print a finding, once."""
    if (where.file, where.line, text) not in now.told:
        now.told.add((where.file, where.line, text))
        (coccilib.org.print_todo if as_org else coccilib.report.print_report)(where, text)


def arms(text, truth=None):
    """Give the values that an expression can have; with a truth, those of blockable ranges."""
    chosen = re.fullmatch(r"(.+?)\?(.+):(.+)", bare(text))
    if not chosen:
        return [bare(text)]
    return [value for arm, holds in ((chosen[2], True), (chosen[3], False))
            if truth is None or not excuse(chosen[1], holds) for value in arms(arm, truth)]


def reclaims(mask):
    """Say if an allocation may enter direct reclaim, by its mask, which blockable can choose."""
    chosen = re.fullmatch(r"(.+?)\?(.+):(.+)", bare(flat(mask)))
    if chosen:
        return (always(chosen[1], True) or always(chosen[1], False)) and (
            reclaims(chosen[2]) or reclaims(chosen[3]))
    return any(RECLAIM.fullmatch(one.strip("()")) for one in flat(mask).split("|"))


def spot(where):
    return where.file, where.line, where.column


def note(table, where, what):
    """Keep what was found in the function at a place."""
    table.setdefault(where.current_element, []).append((what, where))


def reach(starts, edges):
    """Give all that can be reached."""
    found, todo = set(starts), list(starts)
    while todo:
        new = edges.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return found


def way_to(start, calls, ends):
    """Give the shortest chain of calls from a function to one that has an end, and that end.

    A chain without a doubtful call is better."""
    for skipped in (now.doubtful, set()):
        ways = [[start]]
        been = {start}
        for way in ways:
            if way[-1] in ends:
                return way, by_line(ends[way[-1]])[0]
            new = [callee for callee, _ in calls.get(way[-1], [])
                   if callee not in been and (way[-1], callee) not in skipped]
            been.update(new)
            ways += [way + [callee] for callee in new]
    return None


def by_line(found):
    """Sort what was found in a function."""
    return sorted(found, key=lambda one: (int(one[1].line), one[0]))


def called(text):
    """Give the function whose result a value is, if it is known."""
    call = re.fullmatch(r"(\w+)\(.*\)", bare(text))
    return call[1] if call and call[1] in now.types else None


def may_refuse(x):
    """Say if a value is a refusal, or that of a known function."""
    return any(arm in ("-EAGAIN", "false", "0") or called(arm) for arm in arms(flat(x), True))


def find_failing():
    """Find the functions that can refuse, and those whose value a callback returns."""
    texts = {g: {text for text, _ in found} for g, found in now.values.items()}
    for g, found in now.assigned.items():
        texts.setdefault(g, set()).update(x for (r, x), _ in found if r in texts.get(g, ()))
    for g, some in texts.items():
        kind = now.types.get(g)
        if kind in REFUSED and some & set(REFUSED[kind]) and (kind == "int" or g in now.asking):
            now.failing[g] = kind
        elif any(re.search("try_?lock", text.split("(")[0]) for text in some):
            now.failing[g] = "bool"
    passed = {g: set(filter(None, map(called, some))) for g, some in texts.items()}
    now.returning = reach({*now.callbacks, *now.failing}, passed)


def report_ends(callback, calls, ends, text):
    """Report what a callback does that is wrong, and where it calls what does."""
    for code, where in by_line(ends.get(callback, [])):
        tell(where, f"{callback}() {text([], code)}: {code}")
    for callee, where in by_line(calls.get(callback, [])):
        found = way_to(callee, calls, ends)
        if found:
            way, (code, end) = found
            tell(where, f"{callback}() {text([callback, *way], code)}: "
                        f"{' -> '.join(way)} -> {code}, {end.file.split('/')[-1]}:{end.line}")


def asleep(*_):
    return "may sleep in a non-blocking range"


def asleep_at_end(*_):
    return "may sleep in a non-blocking range, and an end cannot refuse"


def wrong(way, code):
    if ITSELF.match(code):
        return "may wait for itself: check that"
    if not now.doubtful.isdisjoint(zip(way, way[1:])):
        return "may enter direct reclaim through a function pointer: check that"
    return "may enter direct reclaim, also wrong in a blockable range"


def report_code(callback, kind, function, been):
    """Report a wrong code that a callback returns, also if it is that of a helper."""
    via = "" if function == callback else f" through {function}()"
    for text, where in by_line(now.values.get(function, [])):
        callee = called(text)
        if kind == "bool":
            if text.startswith("-"):
                tell(where, f"{callback}() returns {text}{via}, which is true, as if it had invalidated")
        elif callee:
            if callee not in been:
                report_code(callback, kind, callee, been | {callee})
        elif re.fullmatch(r"-?[A-Z]+|-?\d+|true|false", text):
            if text not in ("0", "-EAGAIN"):
                tell(where, f"{callback}() returns {text}{via}: return {RIGHT}")
        elif not text.isidentifier():
            tell(where, f"{callback}() returns {text}{via}: check that it is {RIGHT}")


def report_refusal(callback, kind, function, been):
    """Report a refusal of a range that may be blockable, also if it is that of a helper."""
    via = "" if function == callback else f" through {function}()"
    for text, where in by_line(now.early.get(function, [])):
        callee = called(text)
        if text in REFUSED[kind]:
            tell(where, f"{callback}() returns {text}{via}: check that no blockable range gets here")
        elif callee and callee not in been:
            report_refusal(callback, kind, callee, been | {callee})


def has_else(where):
    """Say if there is an #else in a function, or between its heads."""
    with open(where.file, errors="replace") as file:
        lines = file.read().splitlines()
    first = last = int(where.line)
    while first > 1 and lines[first - 2].strip() not in ("", "}"):
        first -= 1
    while last < len(lines) and not lines[last].startswith("}"):
        last += 1
    return any(re.match(r"\s*#\s*el", line) for line in lines[first - 1:last])


def name(callback, where):
    """Say that a callback was examined, and what may be missing."""
    used = reach({callback}, now.edges) & set(now.types)
    cut = [f"{f}()" for f in sorted(used & set(now.places)) if has_else(now.places[f])]
    more = f", functions followed: {len(used) - 1}"
    stems = (callback, re.split(r"[/.]", where.file)[-2])
    mine = tuple({stem.strip("_").split("_")[0] + "_" for stem in stems} - {"mmu_"})
    away = sorted({f"{k}()" for f in used | {callback} for k in now.absent.get(f, ())
                   if k.strip("_").startswith(mine)})
    more += f", not followed: {', '.join(away[:9])}{', ...' * (len(away) > 9)}" if away else ""
    more += f"; check the #ifdef: a branch of {', '.join(cut)} may be left out" if cut else ""
    if not as_org:
        coccilib.report.print_report(where, f"{callback}() was examined{more}")


def find_unparsed(file):
    """Find the callbacks of a file that spatch cannot parse."""
    with open(file, errors="replace") as source:
        text = source.read()
    for found in CALLBACK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start()) - 1
        now.named.setdefault(found[1], types.SimpleNamespace(
            file=file, line=line, column=column, column_end=column + len(found[1])))


def examine():
    """Report what was found, and which callbacks were examined."""
    for callback, where in now.callbacks.items():
        kind = now.types[callback]
        report_ends(callback, now.calls, now.sleeps, asleep if kind in REFUSED else asleep_at_end)
        report_ends(callback, now.passes, now.wrongs, wrong)
        if kind in REFUSED:
            report_code(callback, kind, callback, {callback})
            for function in (callback, *sorted(now.excused & reach({callback}, now.edges))):
                report_refusal(callback, now.types[function], function, {function})
        for function, helper, at in now.dropped:
            if function in reach({callback}, now.edges):
                tell(at, f"{function}() drops what {helper}() returns, which may be a refusal: check that")
        name(callback, where)
    for file in {place.file for place in now.places.values()}:
        find_unparsed(file)
    for f, where in now.named.items():
        if f not in now.types:
            tell(where, f"{f}() was not examined: spatch did not get its file, "
                        "or cannot parse it (spatch --parse-c FILE)")


@script:python depends on org@
@@
as_org = True

// ---- The callbacks, by their parameters, and by name where an ops has them.

@callback@
identifier f, a, b, c, d, e;
type T;
parameter list P;
position p;
@@
(
T f@p(struct mmu_notifier *a, const struct mmu_notifier_range *b) { ... }
|
T f@p(struct mmu_notifier *a, struct mm_struct *b, unsigned long c, unsigned long d, bool e) { ... }
|
T f@p(struct mmu_interval_notifier *a, const struct mmu_notifier_range *b, unsigned long c, P) { ... }
|
T f@p(struct hmm_mirror *a, const struct hmm_update *b) { ... }
|
T f@p(struct hmm_mirror *a, const struct mmu_notifier_range *b) { ... }
)

@script:python@
f << callback.f;
b << callback.b;
p << callback.p;
@@
now.ranges.add(str(b))
now.callbacks[str(f)] = p[0]

@user@
@@
(
struct mmu_notifier_ops
|
struct mmu_interval_notifier_ops
|
struct hmm_mirror_ops
)

@defined depends on callback || user@
identifier g;
type T;
position p;
@@
T g@p(...) { ... }

@script:python@
g << defined.g;
T << defined.T;
p << defined.p;
@@
now.types[str(g)] = str(T).split()[-1]
now.places[str(g)] = p[0]

@pointer depends on callback || user@
identifier x, o, m;
identifier f : script:python() { str(f) in now.types };
expression A, E;
type T;
@@
(
T x = { .m = \(f\|&f\), };
|
T x[...] = { [A] = { .m = \(f\|&f\), }, };
|
T x = { .o = { .m = \(f\|&f\), }, };
|
 (T) { .m = \(f\|&f\), }
|
E.m = \(f\|&f\)
|
E->m = \(f\|&f\)
)

@script:python@
m << pointer.m;
f << pointer.f;
@@
now.pointers.setdefault(str(m), set()).add(str(f))

@named depends on callback || user@
identifier x, f;
identifier m : script:python() { bool(MEMBERS.fullmatch(str(m))) };
identifier n : script:python() { bool(OURS.fullmatch(str(n))) };
expression A, E;
type T : script:python() { bool(OPS.search(str(T))) };
position p;
@@
(
T x = { .m = \(f@p\|&f@p\), };
|
T x[...] = { [A] = { .m = \(f@p\|&f@p\), }, };
|
E.n = \(f@p\|&f@p\)
|
E->n = \(f@p\|&f@p\)
)

@script:python@
f << named.f;
p << named.p;
@@
now.named[str(f)] = p[0]

@script:python depends on callback || user@
@@
for f, p in now.named.items():
    if f in now.types:
        now.callbacks.setdefault(f, now.places[f])
seen[0] |= bool(now.named or now.callbacks)

@macro depends on callback || user@
identifier m;
identifier h : script:python() { str(h) in now.types or bool(SLEEPS.fullmatch(str(h))) };
position p;
@@
#define m(...) <+... h@p ...+>

@script:python@
m << macro.m;
h << macro.h;
p << macro.p;
@@
now.types.setdefault(str(m), "macro")
for table in (now.calls, now.passes) if str(h) in now.types else (now.sleeps,):
    table.setdefault(str(m), []).append((str(h), p[0]))
now.edges.setdefault(str(m), set()).add(str(h))

@later depends on callback || user@
identifier d : script:python() { bool(LATER.fullmatch(str(d))) };
identifier h : script:python() { str(h) in now.types };
position p;
@@
d(..., h@p, ...)

@script:python@
p << later.p;
@@
now.later.add(spot(p[0]))

@use depends on callback || user@
identifier h : script:python() { str(h) in now.types };
position p;
@@
h@p

@script:python@
h << use.h;
p << use.p;
@@
if spot(p[0]) not in now.later:
    now.edges.setdefault(p[0].current_element, set()).add(str(h))

@absent depends on callback || user@
identifier k : script:python() { str(k) not in now.types and not SLEEPS.fullmatch(str(k)) };
position p;
@@
k@p(...)

@script:python@
k << absent.k;
p << absent.p;
@@
now.absent.setdefault(p[0].current_element, set()).add(str(k))

@through depends on callback || user@
identifier m : script:python() { str(m) in now.pointers };
expression E;
position p;
@@
(
E->m@p(...)
|
E.m@p(...)
)

@script:python@
m << through.m;
p << through.p;
@@
now.edges.setdefault(p[0].current_element, set()).update(now.pointers[str(m)])

@suspect depends on callback || user@
identifier s : script:python() { bool(SLEEPS.fullmatch(str(s))) };
identifier c : script:python() { bool(GUARDS.fullmatch(str(c))) };
iterator name scoped_guard;
statement S;
position p;
@@
(
scoped_guard(c@p, ...) S
|
guard(c@p)(...)
|
s@p(...)
)

@script:python@
p << suspect.p;
@@
now.hot.add(p[0].current_element)

@script:python depends on callback || user@
@@
back = {}
for caller, callees in now.edges.items():
    for callee in callees:
        back.setdefault(callee, set()).add(caller)
now.followed = reach(now.callbacks, now.edges)
now.hot |= {m for m in now.sleeps}
now.hot = reach(now.hot, back) & now.followed

@assigned depends on callback || user@
identifier r;
expression x;
type T;
position p : script:python() { p[0].current_element in now.followed };
@@
(
T r = x@p;
|
r = x@p
)

@script:python@
r << assigned.r;
x << assigned.x;
p << assigned.p;
@@
note(now.assigned, p[0], (str(r), flat(x)))
if not re.search(rf"\b{r}\b", str(x)):
    now.aliases.setdefault(str(r), set()).add(flat(x))

// ---- What may sleep: on paths on which the range may not be blockable.

@guarded depends on callback || user@
identifier h : script:python() { str(h) in now.hot or bool(SLEEPS.fullmatch(str(h))) };
expression T : script:python() { always(T, True) };
expression F : script:python() { always(F, False) };
expression E;
position p;
@@
(
T ? <+... h@p ...+> : E
|
F ? E : <+... h@p ...+>
|
T && <+... h@p ...+>
|
F || <+... h@p ...+>
)

@script:python@
p << guarded.p;
@@
now.guarded.add(spot(p[0]))

@sleep depends on callback || user exists@
identifier g : script:python() { str(g) in now.hot };
identifier h : script:python() { str(h) in now.hot };
identifier m : script:python() { not now.hot.isdisjoint(now.pointers.get(str(m), ())) };
identifier s : script:python() { bool(SLEEPS.fullmatch(str(s))) };
identifier c : script:python() { bool(GUARDS.fullmatch(str(c))) };
iterator name scoped_guard;
expression T : script:python() { always(T, True) };
expression F : script:python() { always(F, False) };
expression E, x;
statement S;
position p;
@@
g(...)
{
	... when != true T
	    when != false F
	    when any
(
	scoped_guard(c@p, ...) S
|
	guard(c@p)(...)
|
	h@p
|
	E->m@p(...)
|
	E.m@p(...)
|
	s@p(...)@x
)
	... when any
}

@script:python@
g << sleep.g;
h << sleep.h = "";
m << sleep.m = "";
c << sleep.c = "";
x << sleep.x = "";
p << sleep.p;
@@
if spot(p[0]) in now.guarded | now.later:
    pass
elif x or c:
    now.sleeps.setdefault(str(g), []).append((flat(x) or f"guard({c})", p[0]))
else:
    for callee in [str(h)] if h else now.pointers[str(m)] & now.hot:
        now.calls.setdefault(str(g), []).append((callee, p[0]))

// ---- What may enter direct reclaim, or wait for the range: wrong in every range.

@allocation depends on callback || user@
identifier w : script:python() { bool(ALLOCATES.fullmatch(str(w)) or ITSELF.fullmatch(str(w))) };
identifier alloc;
expression mask : script:python() { reclaims(mask) };
position p;
@@
(
w@p(...)
|
alloc@p(..., mask, ...)
)

@script:python@
p << allocation.p;
@@
now.greedy.add(p[0].current_element)

@saving depends on allocation@
position p;
@@
memalloc_noreclaim_save@p(...)

@script:python@
p << saving.p;
@@
now.saving.add(p[0].current_element)

@script:python depends on allocation@
@@
now.greedy = reach(now.greedy, back) & now.followed
now.saving = reach(now.saving, back) | {"memalloc_noreclaim_save"}

@wrong depends on allocation exists@
identifier g : script:python() { str(g) in now.greedy };
identifier h : script:python() { str(h) in now.greedy };
identifier m : script:python() { not now.greedy.isdisjoint(now.pointers.get(str(m), ())) };
identifier k : script:python() { str(k) in now.saving };
identifier w : script:python() { bool(ALLOCATES.fullmatch(str(w)) or ITSELF.fullmatch(str(w))) };
identifier alloc;
expression mask : script:python() { reclaims(mask) };
expression T : script:python() { implied(flat(T), True, permitted) };
expression F : script:python() { implied(flat(F), False, permitted) };
expression E, x;
position p;
@@
g(...)
{
	... when != k(...)
	    when != true T
	    when != false F
	    when any
(
	h@p
|
	E->m@p(...)
|
	E.m@p(...)
|
	alloc@p(..., mask, ...)@x
|
	w@p(...)@x
)
	... when any
}

@script:python@
g << wrong.g;
h << wrong.h = "";
m << wrong.m = "";
x << wrong.x = "";
mask << wrong.mask = "";
p << wrong.p;
@@
if spot(p[0]) in now.later:
    pass
elif h or m:
    for callee in [str(h)] if h else now.pointers[str(m)] & now.greedy:
        now.passes.setdefault(str(g), []).append((callee, p[0]))
        if m:
            now.doubtful.add((str(g), callee))
elif (mask or "GFP_" not in str(x)) and not ERASES.fullmatch(flat(x)):
    now.wrongs.setdefault(str(g), []).append((flat(x), p[0]))

// ---- What is returned. An end returns nothing.

@value depends on callback || user@
expression x;
position p : script:python() { p[0].current_element in now.followed };
@@
return@p x;

@script:python@
x << value.x;
p << value.p;
@@
for arm in arms(flat(x)):
    note(now.values, p[0], arm)

@asking depends on callback || user@
identifier w : script:python() { bool(re.search("try_?lock|block", str(w))) };
expression E;
position p;
@@
(
w@p
|
E->w@p
)

@script:python@
p << asking.p;
@@
now.asking.add(p[0].current_element)

@script:python depends on callback || user@
@@
find_failing()

@kept depends on callback || user exists@
identifier g : script:python() { str(g) in now.returning and now.types[str(g)] == "int" };
identifier r;
type T;
expression x, y;
position p;
@@
g(...)
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
g << kept.g;
x << kept.x;
p << kept.p;
@@
now.values.setdefault(str(g), []).extend((arm, p[0]) for arm in arms(flat(x)))

// ---- What is returned on paths on which the range may be blockable.

@early depends on callback || user exists@
identifier g : script:python() { str(g) in now.returning };
expression T : script:python() { excuse(T, True) };
expression F : script:python() { excuse(F, False) };
expression x : script:python() { may_refuse(x) };
position p;
@@
g(...)
{
	... when != true T
	    when != false F
	    when any
	return@p x;
}

@script:python@
g << early.g;
x << early.x;
p << early.p;
@@
now.early.setdefault(str(g), []).extend((arm, p[0]) for arm in arms(flat(x), True))

@early_kept depends on callback || user exists@
identifier g : script:python() { str(g) in now.returning };
identifier r;
type A;
expression T : script:python() { excuse(T, True) };
expression F : script:python() { excuse(F, False) };
expression x : script:python() { may_refuse(x) };
expression y;
position p;
@@
g(...)
{
	... when != true T
	    when != false F
	    when any
(
	r = x@p;
|
	A r = x@p;
)
	... when != r = y
	    when != true T
	    when != false F
	return r;
}

@script:python@
g << early_kept.g;
x << early_kept.x;
p << early_kept.p;
@@
now.early.setdefault(str(g), []).extend((arm, p[0]) for arm in arms(flat(x), True))

// ---- What a helper refuses, and its caller reports as done.

@dropped depends on callback || user@
identifier h : script:python() { str(h) in now.failing };
position p : script:python() { p[0].current_element in now.followed };
@@
h@p(...);

@script:python@
h << dropped.h;
p << dropped.p;
@@
now.dropped.append((p[0].current_element, str(h), p[0]))

@tested depends on callback || user@
expression C : script:python() { any(implied(flat(C), truth, failed) for truth in (True, False)) };
position p : script:python() { p[0].current_element in now.returning };
statement S;
@@
if (C@p) S

@ignored depends on callback || user exists@
identifier g : script:python() { str(g) in now.returning };
expression tested.C;
expression T : script:python() { implied(flat(T), True, failed) };
expression F : script:python() { implied(flat(F), False, failed) };
expression B : script:python() { always(B, True) };
expression N : script:python() { always(N, False) };
expression x : script:python() { flat(x) in ("0", "true") };
position tested.p;
@@
g(...)
{
	... when any
	C@p
	... when != false T
	    when != true F
	    when != true B
	    when != false N
	    when any
	return x;
}

@script:python depends on ignored@
p << tested.p;
C << tested.C;
@@
now.dropped.append((p[0].current_element, re.search(r"\w+(?=\()", flat(C))[0], p[0]))

@ignored_kept depends on callback || user exists@
identifier g : script:python() { str(g) in now.returning };
identifier r;
type A;
expression tested.C;
expression T : script:python() { implied(flat(T), True, failed) };
expression F : script:python() { implied(flat(F), False, failed) };
expression B : script:python() { always(B, True) };
expression N : script:python() { always(N, False) };
expression x : script:python() { flat(x) in ("0", "true") };
expression y;
position tested.p;
@@
g(...)
{
	... when any
(
	r = x;
|
	A r = x;
)
	... when != r = y
	    when any
	C@p
	... when != r = y
	    when != false T
	    when != true F
	    when != true B
	    when != false N
	    when any
	return r;
}

@script:python depends on ignored_kept@
p << tested.p;
C << tested.C;
@@
now.dropped.append((p[0].current_element, re.search(r"\w+(?=\()", flat(C))[0], p[0]))

@unused depends on callback || user exists@
identifier g : script:python() { str(g) in now.returning };
identifier h : script:python() { now.failing.get(str(h)) == "int" };
identifier k : script:python() { now.failing.get(str(k)) == "bool" };
identifier r, s;
type T;
expression x : script:python() { flat(x) in ("0", "true") };
expression y;
position p;
@@
g(...)
{
	... when any
(
(
	r = h@p(...);
|
	T r = h@p(...);
)
	... when != r = y
	    when != false r
	    when != true !r
	    when != true r == 0
	    when any
	return x;
|
(
	s = k@p(...);
|
	T s = k@p(...);
)
	... when != s = y
	    when != true s
	    when != false !s
	    when any
	return x;
)
}

@script:python@
g << unused.g;
h << unused.h = "";
k << unused.k = "";
p << unused.p;
@@
now.dropped.append((str(g), str(h or k), p[0]))

@script:python depends on callback || user@
@@
examine()
now = Files()

@finalize:python@
@@
if not seen[0]:
    print("no callback found")
