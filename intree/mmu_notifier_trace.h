/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mmu_notifier

#if !defined(_TRACE_MMU_NOTIFIER_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_MMU_NOTIFIER_H

#include <linux/mmu_notifier.h>
#include <linux/tracepoint.h>

TRACE_DEFINE_ENUM(MMU_NOTIFY_UNMAP);
TRACE_DEFINE_ENUM(MMU_NOTIFY_CLEAR);
TRACE_DEFINE_ENUM(MMU_NOTIFY_PROTECTION_VMA);
TRACE_DEFINE_ENUM(MMU_NOTIFY_PROTECTION_PAGE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_SOFT_DIRTY);
TRACE_DEFINE_ENUM(MMU_NOTIFY_RELEASE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_MIGRATE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_EXCLUSIVE);

#define show_mmu_notify_event(event)					\
	__print_symbolic(event,						\
		{ MMU_NOTIFY_UNMAP, "UNMAP" },				\
		{ MMU_NOTIFY_CLEAR, "CLEAR" },				\
		{ MMU_NOTIFY_PROTECTION_VMA, "PROTECTION_VMA" },	\
		{ MMU_NOTIFY_PROTECTION_PAGE, "PROTECTION_PAGE" },	\
		{ MMU_NOTIFY_SOFT_DIRTY, "SOFT_DIRTY" },		\
		{ MMU_NOTIFY_RELEASE, "RELEASE" },			\
		{ MMU_NOTIFY_MIGRATE, "MIGRATE" },			\
		{ MMU_NOTIFY_EXCLUSIVE, "EXCLUSIVE" })

TRACE_EVENT(mmu_notifier_refused,

	TP_PROTO(const void *callback, const struct mmu_notifier_range *range),

	TP_ARGS(callback, range),

	TP_STRUCT__entry(
		__field(const void *, callback)
		__field(const struct mm_struct *, mm)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(int, event)
	),

	TP_fast_assign(
		__entry->callback = callback;
		__entry->mm = range->mm;
		__entry->start = range->start;
		__entry->end = range->end;
		__entry->event = range->event;
	),

	TP_printk("callback=%pS mm=%p start=%#lx end=%#lx event=%s",
		  __entry->callback, __entry->mm, __entry->start,
		  __entry->end, show_mmu_notify_event(__entry->event))
);

#endif /* _TRACE_MMU_NOTIFIER_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
