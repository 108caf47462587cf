// SPDX-License-Identifier: GPL-2.0
/* Generic netlink: the handlers that the generated tables name, messages and attributes. */
#include <generated/utsrelease.h>
#include <linux/module.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "generated/netlink.h"
#include "shim_genl.h"

#define SHIM_VERSION "0.1.0"
MODULE_VERSION(SHIM_VERSION);

#define SHIM_DO(name, cmd)                                                          \
	int eccp_nl_##name##_doit(struct sk_buff *skb, struct genl_info *info)      \
	{                                                                           \
		return eccp_rust_netlink_do(info, cmd);                             \
	}

#define SHIM_DUMP(name, cmd)                                                        \
	int eccp_nl_##name##_dumpit(struct sk_buff *skb, struct netlink_callback *cb) \
	{                                                                           \
		return eccp_rust_netlink_dump(skb, cb, cmd);                        \
	}

SHIM_DO(info_get, ECCP_CMD_INFO_GET)
SHIM_DO(connection_get, ECCP_CMD_CONNECTION_GET)
SHIM_DUMP(connection_get, ECCP_CMD_CONNECTION_GET)
SHIM_DO(flow_get, ECCP_CMD_FLOW_GET)
SHIM_DUMP(flow_get, ECCP_CMD_FLOW_GET)
SHIM_DO(flow_move, ECCP_CMD_FLOW_MOVE)
SHIM_DO(settings_get, ECCP_CMD_SETTINGS_GET)
SHIM_DO(settings_set, ECCP_CMD_SETTINGS_SET)
SHIM_DO(stats_get, ECCP_CMD_STATS_GET)
SHIM_DO(flow_add, ECCP_CMD_FLOW_ADD)
SHIM_DO(flow_remove, ECCP_CMD_FLOW_REMOVE)
SHIM_DO(flow_prefer, ECCP_CMD_FLOW_PREFER)
SHIM_DO(rule_add, ECCP_CMD_RULE_ADD)
SHIM_DO(rule_delete, ECCP_CMD_RULE_DELETE)
SHIM_DUMP(rule_get, ECCP_CMD_RULE_GET)
SHIM_DO(redirect_add, ECCP_CMD_REDIRECT_ADD)
SHIM_DO(redirect_delete, ECCP_CMD_REDIRECT_DELETE)
SHIM_DUMP(redirect_get, ECCP_CMD_REDIRECT_GET)

int shim_genl_register(void)
{
	return genl_register_family(&eccp_nl_family);
}

void shim_genl_unregister(void)
{
	genl_unregister_family(&eccp_nl_family);
}

const char *shim_module_version(void)
{
	return SHIM_VERSION;
}

const char *shim_kernel_release(void)
{
	return UTS_RELEASE;
}

struct net *shim_request_net(void *info)
{
	return genl_info_net(info);
}

const struct nlattr *shim_request_attr(void *info, u32 kind)
{
	return ((struct genl_info *)info)->attrs[kind];
}

/* The text is a constant of the module. */
void shim_request_refuse(void *info, const char *text, const struct nlattr *attr)
{
	struct netlink_ext_ack *extack = ((struct genl_info *)info)->extack;

	if (!extack)
		return;
	extack->_msg = text;
	extack->bad_attr = attr;
	extack->policy = NULL;
}

void shim_request_missing(void *info, const char *text, u32 kind)
{
	struct netlink_ext_ack *extack = ((struct genl_info *)info)->extack;

	if (!extack)
		return;
	extack->_msg = text;
	NL_SET_ERR_ATTR_MISS(extack, NULL, kind);
}

int shim_request_reply(void *info, u32 cmd, struct shim_message *message)
{
	message->skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!message->skb)
		return -ENOMEM;
	message->header = genlmsg_put_reply(message->skb, info, &eccp_nl_family, 0, cmd);
	return 0;
}

int shim_request_send(void *info, struct shim_message *message)
{
	genlmsg_end(message->skb, message->header);
	return genlmsg_reply(message->skb, info);
}

struct net *shim_dump_net(void *cb)
{
	return sock_net(((struct netlink_callback *)cb)->skb->sk);
}

/* Zero would mean that nothing was read before. */
void shim_dump_at(void *cb, u32 generation)
{
	((struct netlink_callback *)cb)->seq = generation ?: 1;
}

long *shim_dump_position(void *cb)
{
	return ((struct netlink_callback *)cb)->args;
}

int shim_dump_begin(struct sk_buff *skb, void *_cb, u32 cmd, struct shim_message *message)
{
	struct netlink_callback *cb = _cb;

	message->skb = skb;
	message->header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &eccp_nl_family,
				      NLM_F_MULTI, cmd);
	if (!message->header)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, message->header);
	return 0;
}

bool shim_event_wanted(struct net *net)
{
	return genl_has_listeners(&eccp_nl_family, net, ECCP_NLGRP_EVENTS);
}

int shim_event_begin(u32 cmd, struct shim_message *message, bool may_sleep)
{
	message->skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, may_sleep ? GFP_KERNEL : GFP_ATOMIC);
	if (!message->skb)
		return -ENOMEM;
	message->header = genlmsg_put(message->skb, 0, 0, &eccp_nl_family, 0, cmd);
	return 0;
}

void shim_event_send(struct net *net, struct shim_message *message, bool may_sleep)
{
	genlmsg_end(message->skb, message->header);
	/* A listener that has no room is told so by its own socket. */
	genlmsg_multicast_netns(&eccp_nl_family, net, message->skb, 0, ECCP_NLGRP_EVENTS,
				may_sleep ? GFP_KERNEL : GFP_ATOMIC);
}

void shim_message_end(struct shim_message *message)
{
	genlmsg_end(message->skb, message->header);
}

void shim_message_cancel(struct shim_message *message)
{
	genlmsg_cancel(message->skb, message->header);
}

void shim_message_free(struct shim_message *message)
{
	nlmsg_free(message->skb);
}

int shim_put(struct sk_buff *skb, u32 kind, const void *value, u32 len)
{
	return nla_put(skb, kind, len, value);
}

int shim_put_uint(struct sk_buff *skb, u32 kind, u64 value)
{
	return nla_put_uint(skb, kind, value);
}

int shim_put_text(struct sk_buff *skb, u32 kind, const char *text)
{
	return nla_put_string(skb, kind, text);
}

struct nlattr *shim_nest_begin(struct sk_buff *skb, u32 kind)
{
	return nla_nest_start(skb, kind);
}

void shim_nest_end(struct sk_buff *skb, struct nlattr *nest)
{
	nla_nest_end(skb, nest);
}

u64 shim_attr_uint(const struct nlattr *attr)
{
	switch (nla_len(attr)) {
	case sizeof(u8):
		return nla_get_u8(attr);
	case sizeof(u16):
		return nla_get_u16(attr);
	default:
		return nla_get_uint(attr);
	}
}

u32 shim_attr_copy(const struct nlattr *attr, void *to, u32 len)
{
	return nla_memcpy(to, attr, len);
}
