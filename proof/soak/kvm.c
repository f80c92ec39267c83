// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "made.h"
#include "users.h"

#define PAGE		4096ul
#define PAGES		16
#define MARK		0x55
#define RUN_SECONDS	20
#define BALLAST		128
#define PIPE_SIZE	(1 << 18)
#define FAR		"/sys/module/mn_kit/parameters/far"

/* Real mode: write a byte to each page after this one, then halt */
static const unsigned char code[] = {
	0xb8, 0x00, 0x01,			/*	mov $0x100, %ax */
	0x8e, 0xd8,				/* 1:	mov %ax, %ds */
	0xc6, 0x06, 0x00, 0x00, MARK,		/*	movb $MARK, 0 */
	0x05, 0x00, 0x01,			/*	add $0x100, %ax */
	0x3d, 0x00, PAGES,			/*	cmp $PAGES * 0x100, %ax */
	0x75, 0xf1,				/*	jne 1b */
	0xf4,					/*	hlt */
};

static int write_far(const char *value)
{
	int fd = open(FAR, O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 || write(fd, value, 1) != 1;

	if (fd >= 0)
		close(fd);
	return ret;
}

/*
 * Open sessions; the caller does so before and after it creates the machine.  The
 * module takes every other session's slots from vmalloc(), the rest from kmalloc().
 * So some sessions get a lower address than KVM's notifier, and some a higher one.
 */
static int sessions(unsigned int from, unsigned int to)
{
	struct mn_kit_bind bind = { 0 };
	unsigned int i;
	int fd;

	for (i = from; i < to; i++) {
		if (write_far(i % 2 ? "Y" : "N"))
			return failed(FAR);
		fd = open("/dev/mn_kit", O_RDWR | O_CLOEXEC);
		if (fd < 0 || ioctl(fd, MN_KIT_BIND, &bind))
			return failed("another session");
		made->sessions[i] = fd;
	}
	return write_far("N") ? failed(FAR) : 0;
}

/*
 * Fill memory from the bottom, so that KVM gets memory above the first sessions.
 * The data in the pipes takes unmovable pages.  The pipes' own arrays are as large
 * as struct kvm on newer kernels, and come from the same slab cache.
 */
static int fill(int pipes[BALLAST][2])
{
	static const char zeros[PIPE_SIZE];
	unsigned int i;
	cpu_set_t one;

	/* Stay on one CPU: a slab cache keeps free objects per CPU */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return failed("sched_setaffinity");
	for (i = 0; i < BALLAST; i++)
		if (pipe2(pipes[i], O_CLOEXEC) ||
		    fcntl(pipes[i][1], F_SETPIPE_SZ, PIPE_SIZE) < 0 ||
		    write(pipes[i][1], zeros, PIPE_SIZE) != PIPE_SIZE)
			return failed("ballast");
	return 0;
}

static void drain(int pipes[BALLAST][2])
{
	unsigned int i;

	for (i = 0; i < BALLAST; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

static void on_alarm(int signal)
{
}

/* Run the vCPU until it halts.  An alarm interrupts a vCPU that does not halt. */
static int run(int kvm, int cpu, unsigned char *memory)
{
	const struct sigaction interrupt = { .sa_handler = on_alarm };
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_sregs sregs;
	struct kvm_run *state;
	unsigned int i;

	state = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0),
		     PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
	if (state == MAP_FAILED || ioctl(cpu, KVM_GET_SREGS, &sregs))
		return failed("vCPU");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sigaction(SIGALRM, &interrupt, NULL);
	alarm(RUN_SECONDS);
	if (ioctl(cpu, KVM_SET_SREGS, &sregs) || ioctl(cpu, KVM_SET_REGS, &regs) ||
	    ioctl(cpu, KVM_RUN, 0))
		return failed("KVM_RUN");
	alarm(0);
	errno = 0;
	if (state->exit_reason != KVM_EXIT_HLT)
		return failed("the guest did not halt");
	for (i = 1; i < PAGES; i++)
		if (memory[i * PAGE] != MARK)
			return failed("the guest did not write");
	return 0;
}

int kvm_setup(struct victim *v)
{
	struct kvm_userspace_memory_region slot = { .memory_size = PAGES * PAGE };
	unsigned char *memory;
	int pipes[BALLAST][2], kvm, cpu, ret;

	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return failed("memory");
	memcpy(memory, code, sizeof(code));

	ret = sessions(0, SESSIONS / 2);
	if (!ret)
		ret = fill(pipes);
	if (ret)
		return ret;
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return failed("/dev/kvm");
	made->file = ioctl(kvm, KVM_CREATE_VM, 0);
	if (made->file < 0)
		return failed("KVM_CREATE_VM");
	drain(pipes);
	ret = sessions(SESSIONS / 2, SESSIONS);
	if (ret)
		return ret;

	slot.userspace_addr = (unsigned long)memory;
	if (ioctl(made->file, KVM_SET_USER_MEMORY_REGION, &slot))
		return failed("memory slot");
	cpu = ioctl(made->file, KVM_CREATE_VCPU, 0);
	if (cpu < 0)
		return failed("KVM_CREATE_VCPU");
	return run(kvm, cpu, memory);
}

long kvm_statistic(const struct victim *v, const char *name)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/%s", v->pid,
		 made->file, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) < 0)
		snprintf(text, sizeof(text), "%d", -errno);
	close(fd);
	return strtol(text, NULL, 10);
}
