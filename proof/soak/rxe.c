// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_netlink.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "made.h"
#include "users.h"

#define DEVICE		"mn_rxe"
#define NETDEV		"lo"
#define VERBS		"/dev/infiniband/uverbs0"
#define VERBS_OF	"/sys/class/infiniband_verbs/uverbs0/ibdev"
#define PAGE		4096ul
#define PAGES		16
#define REPLY_MS	10000
#define ODP_SUPPORT	1	/* the kernel's IB_ODP_SUPPORT */

static void attribute(struct nlmsghdr *msg, int type, const char *text)
{
	struct nlattr *attr = (void *)msg + NLMSG_ALIGN(msg->nlmsg_len);

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + strlen(text) + 1;
	memcpy((void *)attr + NLA_HDRLEN, text, strlen(text) + 1);
	msg->nlmsg_len = NLMSG_ALIGN(msg->nlmsg_len) + NLA_ALIGN(attr->nla_len);
}

static int request(struct nlmsghdr *msg)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_RDMA);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	union {
		struct nlmsghdr header;
		char bytes[1024];
	} reply;
	struct nlmsgerr *answer = NLMSG_DATA(&reply.header);
	ssize_t got;
	int ret;

	if (fd < 0)
		return -errno;
	ret = -EPROTO;
	if (send(fd, msg, msg->nlmsg_len, 0) < 0) {
		ret = -errno;
	} else if (poll(&pfd, 1, REPLY_MS) != 1) {
		ret = -ETIMEDOUT;
	} else {
		got = recv(fd, &reply, sizeof(reply), 0);
		if (got >= (ssize_t)NLMSG_LENGTH(sizeof(answer->error)) &&
		    reply.header.nlmsg_type == NLMSG_ERROR)
			ret = answer->error;
	}
	close(fd);
	return ret;
}

int rxe_link(void)
{
	union {
		struct nlmsghdr header;
		char bytes[256];
	} msg = { 0 };

	msg.header.nlmsg_len = NLMSG_HDRLEN;
	msg.header.nlmsg_type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_NEWLINK);
	msg.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	attribute(&msg.header, RDMA_NLDEV_ATTR_DEV_NAME, DEVICE);
	attribute(&msg.header, RDMA_NLDEV_ATTR_LINK_TYPE, "rxe");
	attribute(&msg.header, RDMA_NLDEV_ATTR_NDEV_NAME, NETDEV);
	return request(&msg.header);
}

/* Send a uverbs command, and let the kernel write its response to @response. */
static int command(int fd, unsigned int number, void *cmd, size_t size, void *response,
		   size_t response_size)
{
	struct {
		struct ib_uverbs_cmd_hdr header;
		char cmd[64];
	} __attribute__((packed)) msg = {
		.header = {
			.command = number,
			.in_words = (sizeof(msg.header) + size) / 4,
			.out_words = response_size / 4,
		},
	};
	__u64 where = (unsigned long)response;
	ssize_t len = sizeof(msg.header) + size;

	memcpy(msg.cmd, cmd, size);
	/* Each command that has a response begins with the response's address */
	memcpy(msg.cmd, &where, sizeof(where));
	return write(fd, &msg, len) != len;
}

/* Query whether the device supports on-demand paging.  Returns -1 if that fails. */
static int query(int fd, bool *on_demand)
{
	struct ib_uverbs_ex_query_device_resp response = { 0 };
	struct {
		struct ib_uverbs_cmd_hdr header;
		struct ib_uverbs_ex_cmd_hdr extended;
		struct ib_uverbs_ex_query_device cmd;
	} msg = {
		.header = {
			.command = IB_USER_VERBS_EX_CMD_QUERY_DEVICE |
				   IB_USER_VERBS_CMD_FLAG_EXTENDED,
			.in_words = sizeof(msg.cmd) / 8,
			.out_words = sizeof(response) / 8,
		},
		.extended.response = (unsigned long)&response,
	};

	if (write(fd, &msg, sizeof(msg)) != sizeof(msg))
		return -1;
	*on_demand = response.odp_caps.general_caps & ODP_SUPPORT;
	return 0;
}

/* Let the device fault the pages in, and wait for it. */
static int prefetch(int fd, unsigned int pd, const struct ib_uverbs_sge *sge)
{
	struct {
		struct ib_uverbs_ioctl_hdr header;
		struct ib_uverbs_attr attrs[4];
	} msg = {
		.header = {
			.length = sizeof(msg),
			.object_id = UVERBS_OBJECT_MR,
			.method_id = UVERBS_METHOD_ADVISE_MR,
			.num_attrs = 4,
			.driver_id = RDMA_DRIVER_RXE,
		},
		.attrs = {
			{ .attr_id = UVERBS_ATTR_ADVISE_MR_PD_HANDLE, .data = pd },
			{ .attr_id = UVERBS_ATTR_ADVISE_MR_ADVICE, .len = 8,
			  .data = IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE },
			{ .attr_id = UVERBS_ATTR_ADVISE_MR_FLAGS, .len = 8,
			  .data = IB_UVERBS_ADVISE_MR_FLAG_FLUSH },
			{ .attr_id = UVERBS_ATTR_ADVISE_MR_SGE_LIST, .len = sizeof(*sge),
			  .data = (unsigned long)sge },
		},
	};
	unsigned int i;

	for (i = 0; i < 4; i++)
		msg.attrs[i].flags = UVERBS_ATTR_F_MANDATORY;
	return ioctl(fd, RDMA_VERBS_IOCTL, &msg);
}

static bool resident(char *memory)
{
	unsigned char pages[PAGES];
	unsigned int i;

	if (mincore(memory, PAGES * PAGE, pages))
		return false;
	for (i = 0; i < PAGES && pages[i] & 1; i++)
		;
	return i == PAGES;
}

static bool is_ours(void)
{
	char name[sizeof(DEVICE)] = "";
	int fd = open(VERBS_OF, O_RDONLY | O_CLOEXEC);
	bool ours = fd >= 0 && read(fd, name, sizeof(name)) == sizeof(name) &&
		    !memcmp(name, DEVICE "\n", sizeof(name));

	if (fd >= 0)
		close(fd);
	return ours;
}

int rxe_setup(struct victim *v)
{
	struct ib_uverbs_get_context context = { 0 };
	struct ib_uverbs_get_context_resp context_resp;
	struct ib_uverbs_alloc_pd pd = { 0 };
	struct ib_uverbs_alloc_pd_resp pd_resp;
	struct ib_uverbs_reg_mr mr = {
		.length = PAGES * PAGE,
		.access_flags = IB_UVERBS_ACCESS_LOCAL_WRITE |
				IB_UVERBS_ACCESS_ON_DEMAND,
	};
	struct ib_uverbs_reg_mr_resp mr_resp;
	struct ib_uverbs_sge sge = { .length = PAGES * PAGE };
	bool on_demand;
	char *memory;
	int fd;

	errno = 0;
	if (!is_ours())
		return failed(VERBS_OF);
	fd = open(VERBS, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return failed(VERBS);
	made->file = fd;
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return failed("memory");

	if (command(fd, IB_USER_VERBS_CMD_GET_CONTEXT, &context, sizeof(context),
		    &context_resp, sizeof(context_resp)))
		return failed("context");
	if (query(fd, &on_demand))
		return failed("query");
	if (!on_demand) {
		errno = EOPNOTSUPP;
		return errno;
	}
	if (command(fd, IB_USER_VERBS_CMD_ALLOC_PD, &pd, sizeof(pd), &pd_resp,
		    sizeof(pd_resp)))
		return failed("protection domain");
	mr.start = (unsigned long)memory;
	mr.hca_va = mr.start;
	mr.pd_handle = pd_resp.pd_handle;
	if (command(fd, IB_USER_VERBS_CMD_REG_MR, &mr, sizeof(mr), &mr_resp,
		    sizeof(mr_resp)))
		return failed("on-demand region");

	/* The CPU never touches the memory: only the device can make pages resident */
	errno = 0;
	if (resident(memory))
		return failed("pages before their time");
	sge.addr = mr.start;
	sge.lkey = mr_resp.lkey;
	if (prefetch(fd, pd_resp.pd_handle, &sge))
		return failed("prefetch");
	errno = 0;
	return resident(memory) ? 0 : failed("no pages by prefetch");
}
