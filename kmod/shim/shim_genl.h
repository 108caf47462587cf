/* SPDX-License-Identifier: GPL-2.0 */
/* Generic netlink, as Rust sees it. */
#ifndef ECCP_SHIM_GENL_H
#define ECCP_SHIM_GENL_H

#include <linux/skbuff.h>
#include <linux/types.h>
#include <net/netlink.h>

struct net;

/* A message that is being written. */
struct shim_message {
	struct sk_buff *skb;
	void *header;
};

/* ---- implemented in Rust; info is a struct genl_info, cb a struct netlink_callback ---- */
int eccp_rust_netlink_do(void *info, u32 cmd);
int eccp_rust_netlink_dump(struct sk_buff *skb, void *cb, u32 cmd);

/* ---- shim_genl.c ---- */
int shim_genl_register(void);
void shim_genl_unregister(void);
const char *shim_module_version(void);
const char *shim_kernel_release(void);

struct net *shim_request_net(void *info);
const struct nlattr *shim_request_attr(void *info, u32 kind);
void shim_request_refuse(void *info, const char *text, const struct nlattr *attr);
void shim_request_missing(void *info, const char *text, u32 kind);
int shim_request_reply(void *info, u32 cmd, struct shim_message *message);
int shim_request_send(void *info, struct shim_message *message);

struct net *shim_dump_net(void *cb);
void shim_dump_at(void *cb, u32 generation);
long *shim_dump_position(void *cb);
int shim_dump_begin(struct sk_buff *skb, void *cb, u32 cmd, struct shim_message *message);

bool shim_event_wanted(struct net *net);
int shim_event_begin(u32 cmd, struct shim_message *message, bool may_sleep);
void shim_event_send(struct net *net, struct shim_message *message, bool may_sleep);

void shim_message_end(struct shim_message *message);
void shim_message_cancel(struct shim_message *message);
void shim_message_free(struct shim_message *message);
int shim_put(struct sk_buff *skb, u32 kind, const void *value, u32 len);
int shim_put_uint(struct sk_buff *skb, u32 kind, u64 value);
int shim_put_text(struct sk_buff *skb, u32 kind, const char *text);
struct nlattr *shim_nest_begin(struct sk_buff *skb, u32 kind);
void shim_nest_end(struct sk_buff *skb, struct nlattr *nest);

u64 shim_attr_uint(const struct nlattr *attr);
u32 shim_attr_copy(const struct nlattr *attr, void *to, u32 len);

#endif
