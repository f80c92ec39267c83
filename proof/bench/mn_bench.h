/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface of /dev/mn_bench.  MN_BENCH_SUBSCRIBE, once per open file, adds
 * notifiers to the caller's mm.  Closing the file removes them.
 */
#ifndef MN_BENCH_H
#define MN_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MN_BENCH_MAX	512
#define MN_BENCH_NOBODY	0xffffffffu

struct mn_bench_subscribe {
	__u32 hlist;		/* number of hlist notifiers, up to MN_BENCH_MAX */
	__u32 refuser;		/* its place in the list, or MN_BENCH_NOBODY */
	__u32 interval;		/* 1: add an interval notifier of the whole mm */
	__u32 reserved;
};

#define MN_BENCH_SUBSCRIBE	_IOW('B', 0x00, struct mn_bench_subscribe)
/* How often the interval notifier has been called */
#define MN_BENCH_CALLS		_IOR('B', 0x01, __u64)
/*
 * Register one more hlist notifier, and remove it.  Takes whether its address is the
 * highest; if not, it is the lowest.  Returns how long mmu_notifier_register() took.
 */
#define MN_BENCH_REGISTER	_IOWR('B', 0x02, __u64)

#endif
