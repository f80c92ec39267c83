/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The walk, the refusal and concurrent removals of mm/mmu_notifier.c, for spin.
 *
 * One mm has SUBSCRIPTIONS hlist notifiers, whose number is their address, and
 * one interval notifier. A reaper starts a non-blocking range. A second walker,
 * if there is one, starts a range of either kind. Both hold the mmap_lock for
 * reading, so no notifier registers meanwhile. Each callback may accept or refuse.
 * Meanwhile any hlist notifier may be unregistered, the interval notifier is
 * removed, and another one is inserted and read. A step is one access to memory
 * that other processes change, or all that happens under subscriptions->lock.
 *
 * Walkers only read the list, and each records its own starts, so two walkers
 * share only the interval tree. The list is therefore checked with one walker and
 * up to 4 subscriptions, the tree with two walkers.
 *
 * Wrong variants; spin must refute each:
 *   END_FOR_ALL       start all notifiers, then end all (v5.12 and later)
 *   UNDO_BY_POSITION  end as many as were started, from the front
 *   UNDO_TO_REFUSER   end until the walk meets the refuser again
 *   UNSORTED          compare addresses, in an unsorted list
 *   NO_ITREE_END      leave the interval tree open when the hlist refuses
 *   NO_SRCU           walk without a read side: unregister does not wait
 */

#ifndef SUBSCRIPTIONS
#define SUBSCRIPTIONS 4
#endif
#ifndef WALKERS
#define WALKERS 1
#endif
#define NIL 0			/* no subscription; next[NIL] is the head */
#define AT(w, s) ((w) * (SUBSCRIPTIONS + 1) + (s))

/* hlist: a removed entry keeps its forward pointer */
byte next[SUBSCRIPTIONS + 1];
bool hashed[SUBSCRIPTIONS + 1];
bool gone[SUBSCRIPTIONS + 1];		/* mmu_notifier_unregister() returned */

/* for each range and subscription: is a start open */
bool open[WALKERS * (SUBSCRIPTIONS + 1)];

/* the interval tree */
byte active_invalidate_ranges;
bool odd;				/* invalidate_seq & 1 */
bool old_in_tree = true, new_in_tree, new_deferred, old_deferred;

bool reading[WALKERS];			/* SRCU read side */
#ifdef NO_SRCU
#define READ false
#else
#define READ true
#endif
byte done;				/* processes that have ended */

inline itree_end()
{
	atomic {
		assert(active_invalidate_ranges > 0);
		active_invalidate_ranges--;
		if
		:: active_invalidate_ranges == 0 && odd ->
			odd = false;
			if :: new_deferred -> new_in_tree = true; new_deferred = false :: else fi;
			if :: old_deferred -> old_in_tree = false; old_deferred = false :: else fi
		:: else
		fi
	}
}

inline call_end(w, s)
{
	d_step {
		/* C5, then C1: no callback after unregister, no end without a start */
		assert(!gone[s]);
		assert(open[AT(w, s)]);
		open[AT(w, s)] = false
	}
}

/* End the range for the started notifiers; `refuser` returned -EAGAIN. */
inline undo(w, refuser, count)
{
	at = next[NIL];
	do
	:: at == NIL -> break
#if defined(UNDO_BY_POSITION)
	:: at != NIL && count == 0 -> break
	:: at != NIL && count != 0 ->
		count--;
#elif defined(UNDO_TO_REFUSER)
	:: at != NIL && at == refuser -> break
	:: at != NIL && at != refuser ->
#elif defined(END_FOR_ALL)
	:: at != NIL ->
#else
	:: at != NIL && at >= refuser -> break
	:: at != NIL && at < refuser ->
#endif
		call_end(w, at);
		at = next[at]
	od
}

proctype walker(byte w; bool blockable)
{
	byte at, refuser = NIL, count = 0;
	bool refused = false;

	/* mn_itree_invalidate() */
	atomic {
		active_invalidate_ranges++;
		if :: old_in_tree || new_in_tree -> odd = true :: else fi
	}
	if
	:: true
	:: !blockable && odd ->	/* the interval notifier refuses */
		itree_end();
		goto out
	fi;

	/* mn_hlist_invalidate_range_start() */
	reading[w] = READ;
	at = next[NIL];
	do
	:: at == NIL -> break
	:: at != NIL ->
		atomic {
			assert(!gone[at]);
			assert(!open[AT(w, at)]);
			if
			:: open[AT(w, at)] = true;	/* 0, or blockable and reported */
				count++
			:: !blockable ->		/* any error: a refusal */
				refused = true;
				if :: refuser == NIL -> refuser = at :: else fi;
#ifndef END_FOR_ALL
				break
#endif
			fi
		}
		at = next[at]
	od;
	if
	:: refused -> undo(w, refuser, count)
	:: else
	fi;
	reading[w] = false;

	if
	:: refused ->
#ifndef NO_ITREE_END
		itree_end();
#endif
		goto out
	:: else
	fi;

	/* the page tables change here; then __mmu_notifier_invalidate_range_end() */
	itree_end();
	reading[w] = READ;
	at = next[NIL];
	do
	:: at == NIL -> break
	:: at != NIL ->
		call_end(w, at);
		at = next[at]
	od;
	reading[w] = false;
out:
	done++
}

/* mmu_notifier_unregister() */
proctype unregister(byte s)
{
	byte prev, w;

	d_step {	/* hlist_del_init_rcu() under subscriptions->lock: one store to the predecessor */
		do
		:: next[prev] == s -> break
		:: else -> prev = next[prev]
		od;
		next[prev] = next[s];
		hashed[s] = false;
		prev = NIL
	}
	/* synchronize_srcu(): each reader is seen outside once */
	do
	:: w < WALKERS - 1 && !reading[w] -> w++
	:: atomic { w == WALKERS - 1 && !reading[w] -> gone[s] = true; done++; break }
	od
}

/* mmu_interval_notifier_remove(): waits for the end of ranges that may include it. */
proctype interval_remove()
{
	if
	:: atomic { odd -> old_deferred = true };
		!odd
	:: atomic { !odd -> old_in_tree = false }
	fi;
	atomic { assert(!old_in_tree); done++ }
}

/* mmu_interval_notifier_insert(), then mmu_interval_read_begin(). */
proctype interval_insert()
{
	atomic {
		if
		:: active_invalidate_ranges > 0 && odd -> new_deferred = true
		:: active_invalidate_ranges > 0 && !odd -> odd = true; new_in_tree = true
		:: else -> new_in_tree = true
		fi
	}
	atomic { !odd; assert(new_in_tree); done++ }
}

#define PROCESSES (WALKERS + SUBSCRIPTIONS + 2)

/* Put a subscription on the list as mn_hlist_insert() does. */
inline insert(s)
{
	at = NIL;
#ifndef UNSORTED
	do
	:: next[at] == NIL || next[at] > s -> break
	:: else -> at = next[at]
	od;
#endif
	next[s] = next[at];
	next[at] = s;
	hashed[s] = true
}

init {
	byte at, s, w;

	atomic {
		/* registered in any order */
		do
		:: SUBSCRIPTIONS >= 1 && !hashed[1] -> insert(1)
#if SUBSCRIPTIONS >= 2
		:: !hashed[2] -> insert(2)
#endif
#if SUBSCRIPTIONS >= 3
		:: !hashed[3] -> insert(3)
#endif
#if SUBSCRIPTIONS >= 4
		:: !hashed[4] -> insert(4)
#endif
		:: else -> break
		od;

		run walker(0, false);
#if WALKERS == 2
		if
		:: run walker(1, false)
		:: run walker(1, true)
		fi;
#endif
		s = 1;
		do
		:: s > SUBSCRIPTIONS -> break
		:: s <= SUBSCRIPTIONS -> run unregister(s); s++
		:: s <= SUBSCRIPTIONS -> done++; s++	/* this one stays */
		od;
		run interval_remove();
		run interval_insert()
	}

	/* No process waits for ever (else spin reports an invalid end state), and nothing is outstanding. */
	done == PROCESSES;
	assert(active_invalidate_ranges == 0 && !odd);
	assert(!new_deferred && !old_deferred);
	w = 0;
	do
	:: w == WALKERS -> break
	:: else ->
		s = 1;
		do
		:: s > SUBSCRIPTIONS -> break
		:: else ->
			assert(!hashed[s] || !open[AT(w, s)]);
			s++
		od;
		w++
	od
}
