// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shows what KVM counts between the start and the end of a range.
 *
 * The counts are in struct kvm, and KVM does not export them.  A process with a
 * virtual machine's file and CAP_SYS_ADMIN can read them here.
 */
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/magic.h>
#include <linux/miscdevice.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "mn_kvm.h"

/*
 * KVM's own test, file_is_kvm(), is for KVM's modules only.  The kernel names an
 * anonymous inode, and only KVM uses this name.
 */
static bool mn_kvm_is_vm(const struct file *file)
{
	return file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       !strcmp(file->f_path.dentry->d_name.name, "kvm-vm");
}

/*
 * Traverse the list without its lock, which is private.  The test makes sure that
 * no notifier is added or removed meanwhile.
 */
static void mn_kvm_place(const struct mmu_notifier *subscription,
			 struct mn_kvm_state *args)
{
	const struct hlist_node *node = &subscription->hlist;

	args->listed = !hlist_unhashed_lockless(node);
	args->behind = 0;
	while (args->listed && (node = READ_ONCE(node->next)))
		args->behind++;
}

static int mn_kvm_state(struct mn_kvm_state *args)
{
	struct file *file;
	struct kvm *kvm;

	if (args->listed || args->behind || args->reserved)
		return -EINVAL;
	file = fget(args->vm);
	if (!file)
		return -EBADF;
	if (!mn_kvm_is_vm(file)) {
		fput(file);
		return -EINVAL;
	}

	kvm = file->private_data;
	mn_kvm_place(&kvm->mmu_notifier, args);
	spin_lock(&kvm->mn_invalidate_lock);
	args->active = kvm->mn_active_invalidate_count;
	spin_unlock(&kvm->mn_invalidate_lock);
	/* mmu_lock protects these, but no range is running when a test asks */
	args->in_progress = READ_ONCE(kvm->mmu_invalidate_in_progress);
	args->sequence = READ_ONCE(kvm->mmu_invalidate_seq);
	fput(file);
	return 0;
}

static long mn_kvm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct mn_kvm_state args;
	int ret;

	if (cmd != MN_KVM_STATE)
		return -ENOTTY;
	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	ret = mn_kvm_state(&args);
	if (!ret && copy_to_user(user, &args, sizeof(args)))
		ret = -EFAULT;
	return ret;
}

static int mn_kvm_open(struct inode *inode, struct file *file)
{
	return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

static const struct file_operations mn_kvm_fops = {
	.owner = THIS_MODULE,
	.open = mn_kvm_open,
	.unlocked_ioctl = mn_kvm_ioctl,
};

static struct miscdevice mn_kvm_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mn_kvm",
	.fops = &mn_kvm_fops,
	.mode = 0600,
};
module_misc_device(mn_kvm_device);

MODULE_DESCRIPTION("Shows KVM's count of the ranges that it has to wait for");
MODULE_LICENSE("GPL");
