/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/eccp.yaml */
/* YNL-GEN kernel header */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#ifndef _LINUX_ECCP_GEN_H
#define _LINUX_ECCP_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/eccp.h>

int eccp_nl_info_get_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_connection_get_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_connection_get_dumpit(struct sk_buff *skb,
				  struct netlink_callback *cb);
int eccp_nl_flow_get_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_flow_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int eccp_nl_flow_move_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_settings_get_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_settings_set_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_stats_get_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_flow_add_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_flow_remove_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_flow_prefer_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_rule_add_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_rule_delete_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_rule_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int eccp_nl_redirect_add_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_redirect_delete_doit(struct sk_buff *skb, struct genl_info *info);
int eccp_nl_redirect_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);

enum {
	ECCP_NLGRP_EVENTS,
};

extern struct genl_family eccp_nl_family;

#endif /* _LINUX_ECCP_GEN_H */
