/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface of /dev/mn_kit between the module and the test program.
 *
 * An open file is a session.  A session is bound once to the mm of the process
 * that calls MN_KIT_BIND and holds MN_KIT_SLOTS slots.  A slot is one
 * subscription with a scripted behaviour and the counters of what it got.
 * Whoever shares the open file may drive the session; closing it removes every
 * subscription.  No call waits uninterruptibly for a notifier: what may hang on
 * an affected kernel runs in a worker and is waited for with a timeout.
 */
#ifndef MN_KIT_H
#define MN_KIT_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MN_KIT_VERSION		1
#define MN_KIT_SLOTS		640
#define MN_KIT_ALWAYS		0xffffffffu
#define MN_KIT_MAX_TIMEOUT_MS	60000

/* mn_kit_info.features */
#define MN_KIT_HAS_ATOMIC_SLEEP	(1u << 0)	/* CONFIG_DEBUG_ATOMIC_SLEEP */
#define MN_KIT_HAS_TWO_PASS	(1u << 1)	/* invalidate_start/_finish */
#define MN_KIT_HAS_RT		(1u << 2)	/* CONFIG_PREEMPT_RT */

struct mn_kit_info {
	__u32 version;
	__u32 slots;
	__u32 features;
	__u32 sessions;		/* open or not yet torn down, this one included */
};

/* mn_kit_bind.flags */
#define MN_KIT_PEEK		(1u << 0)	/* learn to read the mm's subscriptions */
#define MN_KIT_SYNC_CLOSE	(1u << 1)	/* the closing task removes, as drivers do */

struct mn_kit_bind {
	__u32 flags;
	__u32 reserved;
};

enum mn_kit_kind {
	MN_KIT_HLIST,		/* mmu_notifier_register()/_unregister() */
	MN_KIT_HLIST_GET,	/* mmu_notifier_get()/_put() */
	MN_KIT_INTERVAL,	/* mmu_interval_notifier_insert()/_remove() */
	MN_KIT_INTERVAL_TWO_PASS,
	MN_KIT_KINDS,
};

/* mn_kit_add.flags, hlist notifiers only */
#define MN_KIT_NO_START		(1u << 0)
#define MN_KIT_NO_END		(1u << 1)

struct mn_kit_add {
	__u32 slot;
	__u32 kind;
	__u32 flags;
	__u32 reserved;
	__u64 start;		/* interval notifiers only: bytes */
	__u64 length;
};

/* mn_kit_script.hold */
#define MN_KIT_HOLD_NONE	0
#define MN_KIT_HOLD_GATE	1	/* until MN_KIT_OPEN_GATE */
#define MN_KIT_HOLD_UNHASHED	2	/* until hold_slots are off the hlist */

#define MN_KIT_HOLD_SLOTS	2

struct mn_kit_script {
	__u32 slot;
	__s32 nonblock_ret;	/* for an interval notifier, non-zero is false */
	__u32 nonblock_times;	/* so often, then 0; or MN_KIT_ALWAYS */
	__s32 blockable_ret;
	__u32 hold;		/* the next refusal spins until ... */
	__u32 hold_count;	/* only with MN_KIT_HOLD_UNHASHED */
	__u32 hold_slots[MN_KIT_HOLD_SLOTS];
};

struct mn_kit_counters {
	__u32 slot;
	__u32 reserved;
	__u64 blockable;	/* starts called for a blockable range */
	__u64 nonblock;		/* starts called for a non-blocking range */
	__u64 accepted;		/* starts that returned 0 */
	__u64 refused;		/* starts that returned anything else */
	__u64 ends;
	__u64 finishes;		/* second passes of a two-pass notifier */
	__s64 open;		/* accepted ranges that are not ended */
	__u64 stray;		/* ends with no range open */
	__u64 late;		/* callbacks after the removal returned */
	__u64 unbracketed;	/* non-blocking callbacks outside non_block_start() */
	__u64 gathered;		/* non-blocking starts during a tlb gather */
	__u64 order;		/* ticket of the last start, increasing */
	__u64 hold_timeouts;
};

enum mn_kit_what {
	MN_KIT_REMOVED,		/* the removal of the slot has returned */
	MN_KIT_HOLDING,		/* the slot's callback is holding */
	MN_KIT_READ_DONE,	/* mmu_interval_read_begin() has returned */
	MN_KIT_ALONE,		/* no other session is left */
	MN_KIT_WHATS,
};

struct mn_kit_wait {
	__u32 slot;
	__u32 what;
	__u32 timeout_ms;
	__u32 reserved;
};

/* What the mm's subscriptions hold; needs MN_KIT_PEEK */
struct mn_kit_state {
	__u64 active_ranges;
	__u64 sequence;
	__u32 deferred;		/* interval notifiers on the deferred list */
	__u32 reserved;
};

#define MN_KIT_NAME_LEN		64

struct mn_kit_mark {
	char text[MN_KIT_NAME_LEN];	/* [ -~], NUL-terminated */
};

#define MN_KIT_INFO		_IOR('n', 0x00, struct mn_kit_info)
#define MN_KIT_BIND		_IOW('n', 0x01, struct mn_kit_bind)
#define MN_KIT_ADD		_IOW('n', 0x02, struct mn_kit_add)
#define MN_KIT_SCRIPT		_IOW('n', 0x03, struct mn_kit_script)
#define MN_KIT_REMOVE		_IOW('n', 0x04, __u32)
#define MN_KIT_COUNTERS		_IOWR('n', 0x05, struct mn_kit_counters)
#define MN_KIT_WAIT		_IOW('n', 0x06, struct mn_kit_wait)
#define MN_KIT_OPEN_GATE	_IO('n', 0x07)
#define MN_KIT_READ		_IOW('n', 0x08, __u32)
#define MN_KIT_STATE		_IOR('n', 0x09, struct mn_kit_state)
#define MN_KIT_MARK		_IOW('n', 0x0a, struct mn_kit_mark)

#endif
