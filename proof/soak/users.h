/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Setup of victims whose mm has the notifier of a driver: KVM (kvm.c) or rxe (rxe.c).
 */
#ifndef MN_USERS_H
#define MN_USERS_H

#include "victim.h"

/*
 * For victim_opts.setup.  Create a machine and run its only vCPU, which writes to
 * each page after its code and halts.  Open sessions of the kit at lower and at
 * higher addresses than the machine.
 */
int kvm_setup(struct victim *v);

/*
 * Read a statistic of the machine from debugfs.  Returns a negative errno on failure:
 * -ENOENT if there is no machine.
 */
long kvm_statistic(const struct victim *v, const char *name);

/* Create the rxe device on the loopback interface.  Returns 0 or a negative errno. */
int rxe_link(void);

/*
 * For victim_opts.setup, after rxe_link().  Register memory for on-demand paging and
 * let the device page it in.  From then on rxe's interval notifier refuses each
 * non-blocking range in that memory.  Returns EOPNOTSUPP, and records no step, if the
 * device does not support on-demand paging.
 */
int rxe_setup(struct victim *v);

#endif
