/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface of /dev/mn_kvm: KVM's counts of the invalidations of a process,
 * which no kernel exports.
 */
#ifndef MN_KVM_H
#define MN_KVM_H

#include <linux/ioctl.h>
#include <linux/types.h>

struct mn_kvm_state {
	__s32 vm;		/* in: the file of a virtual machine */
	__u32 listed;		/* 1: its notifier is on the list of the mm */
	__u32 behind;		/* notifiers after it on the list */
	__u32 reserved;
	__u64 active;		/* mn_active_invalidate_count: started, not ended */
	__s64 in_progress;	/* mmu_invalidate_in_progress: those of guest memory */
	__u64 sequence;		/* mmu_invalidate_seq: those of them that were ended */
};

#define MN_KVM_STATE	_IOWR('K', 0x00, struct mn_kvm_state)

#endif
