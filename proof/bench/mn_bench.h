/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface of /dev/mn_bench.  An open file holds notifiers of the mm of the
 * process that calls MN_BENCH_SUBSCRIBE, once; closing it takes them away.
 */
#ifndef MN_BENCH_H
#define MN_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MN_BENCH_MAX	512
#define MN_BENCH_NOBODY	0xffffffffu

struct mn_bench_subscribe {
	__u32 hlist;		/* so many hlist notifiers, up to MN_BENCH_MAX */
	__u32 refuser;		/* its place in the walk, or MN_BENCH_NOBODY */
	__u32 interval;		/* 1: and an interval notifier of the whole mm */
	__u32 reserved;
};

#define MN_BENCH_SUBSCRIBE	_IOW('B', 0x00, struct mn_bench_subscribe)
/* How often the interval notifier was called so far */
#define MN_BENCH_CALLS		_IOR('B', 0x01, __u64)

#endif
