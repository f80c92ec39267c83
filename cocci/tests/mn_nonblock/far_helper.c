// SPDX-License-Identifier: GPL-2.0-only
/* See far_callback.c. */

int far_remap(struct mirror *mirror, unsigned long start)
{
	struct page *page = alloc_page(GFP_KERNEL);

	return page ? hypercall(mirror, start, page) : -ENOMEM;
}
