/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Victims with notifiers of the kernel's own: of KVM (kvm.c) and of rxe (rxe.c).
 */
#ifndef MN_USERS_H
#define MN_USERS_H

#include "mn_kvm.h"
#include "victim.h"

#define SESSIONS	16

/* What a victim made, as descriptors of its own; shared with it */
struct made {
	int file;			/* the machine, or what has the memory region */
	int sessions[SESSIONS];		/* of the kit, bound to the victim's mm */
	char step[48];			/* the one that failed */
};

extern struct made *made;

int failed(const char *step);		/* notes it and gives the errno, or EIO */
int victim_fd(struct victim *v, int fd); /* a copy of the victim's, or a negative errno */

/*
 * For victim_opts.setup: a machine whose only processor has written to each page
 * of its memory and halted, and sessions with lower and higher addresses than its.
 */
int kvm_setup(struct victim *v);

/* A statistic of the machine from debugfs; -ENOENT when there is no machine */
long kvm_statistic(const struct victim *v, const char *name);

/* Make the device on the loopback interface: 0, or a negative errno */
int rxe_link(void);

/*
 * For victim_opts.setup, after rxe_link(): memory registered to be paged in on
 * demand, and paged in by the device.  Its interval notifier refuses by itself.
 * EOPNOTSUPP, and no step noted, from a device that does not page in on demand.
 */
int rxe_setup(struct victim *v);

#endif
