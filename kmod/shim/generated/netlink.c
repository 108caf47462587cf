// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/eccp.yaml */
/* YNL-GEN kernel source */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink.h"

#include <uapi/linux/eccp.h>

/* Integer value ranges */
static const struct netlink_range_validation eccp_a_move_to_ifindex_range = {
	.min	= 1ULL,
	.max	= S32_MAX,
};

static const struct netlink_range_validation eccp_a_add_from_ifindex_range = {
	.min	= 1ULL,
	.max	= S32_MAX,
};

static const struct netlink_range_validation eccp_a_settings_give_up_ms_range = {
	.min	= 1000ULL,
	.max	= 86400000ULL,
};

static const struct netlink_range_validation eccp_a_settings_half_open_ms_range = {
	.min	= 1000ULL,
	.max	= 600000ULL,
};

static const struct netlink_range_validation eccp_a_settings_planned_move_ms_range = {
	.min	= 500ULL,
	.max	= 600000ULL,
};

static const struct netlink_range_validation eccp_a_settings_no_address_ms_range = {
	.max	= 86400000ULL,
};

static const struct netlink_range_validation eccp_a_settings_draining_ms_range = {
	.min	= 1000ULL,
	.max	= 600000ULL,
};

static const struct netlink_range_validation eccp_a_settings_prefer_delay_ms_range = {
	.max	= 600000ULL,
};

static const struct netlink_range_validation eccp_a_settings_control_rate_range = {
	.max	= 1000000ULL,
};

static const struct netlink_range_validation eccp_a_settings_max_connections_range = {
	.min	= 1ULL,
	.max	= 1048576ULL,
};

static const struct netlink_range_validation eccp_a_settings_max_half_open_range = {
	.min	= 1ULL,
	.max	= 65536ULL,
};

static const struct netlink_range_validation eccp_a_settings_path_timeout_ms_range = {
	.max	= 60000ULL,
};

static const struct netlink_range_validation eccp_a_settings_keepalive_ms_range = {
	.max	= 86400000ULL,
};

static const struct netlink_range_validation eccp_a_settings_max_datagram_peers_range = {
	.min	= 1ULL,
	.max	= 65536ULL,
};

static const struct netlink_range_validation eccp_a_settings_datagram_idle_ms_range = {
	.min	= 1000ULL,
	.max	= 86400000ULL,
};

static const struct netlink_range_validation eccp_a_settings_cookie_threshold_range = {
	.max	= 65536ULL,
};

static const struct netlink_range_validation eccp_a_settings_nat_keepalive_ms_range = {
	.max	= 86400000ULL,
};

static const struct netlink_range_validation eccp_a_settings_stranger_rate_range = {
	.max	= 1000000ULL,
};

static const struct netlink_range_validation eccp_a_settings_mtu_raise_ms_range = {
	.max	= 86400000ULL,
};

static const struct netlink_range_validation eccp_a_settings_redirect_ms_range = {
	.max	= 600000ULL,
};

static const struct netlink_range_validation eccp_a_redirect_left_ms_range = {
	.min	= 1000ULL,
	.max	= 600000ULL,
};

/* ECCP_CMD_CONNECTION_GET - do */
static const struct nla_policy eccp_connection_get_nl_policy[ECCP_A_CONNECTION_ID + 1] = {
	[ECCP_A_CONNECTION_ID] = NLA_POLICY_MIN(NLA_UINT, 1),
};

/* ECCP_CMD_FLOW_GET - do */
static const struct nla_policy eccp_flow_get_nl_policy[ECCP_A_FLOW_LOCAL_ID + 1] = {
	[ECCP_A_FLOW_LOCAL_ID] = NLA_POLICY_MIN(NLA_UINT, 1),
};

/* ECCP_CMD_FLOW_MOVE - do */
static const struct nla_policy eccp_flow_move_nl_policy[ECCP_A_MOVE_TO_IFINDEX + 1] = {
	[ECCP_A_MOVE_FLOW_ID] = NLA_POLICY_MIN(NLA_UINT, 1),
	[ECCP_A_MOVE_TO_IPV4] = { .type = NLA_BE32, },
	[ECCP_A_MOVE_TO_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[ECCP_A_MOVE_TO_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_move_to_ifindex_range),
};

/* ECCP_CMD_SETTINGS_SET - do */
static const struct nla_policy eccp_settings_set_nl_policy[ECCP_A_SETTINGS_RENEW_FLOW_IDS + 1] = {
	[ECCP_A_SETTINGS_ENCAP] = NLA_POLICY_RANGE(NLA_U32, 1, 3),
	[ECCP_A_SETTINGS_UDP_PORT] = NLA_POLICY_MIN(NLA_U16, 1),
	[ECCP_A_SETTINGS_POLICY] = NLA_POLICY_RANGE(NLA_U32, 1, 3),
	[ECCP_A_SETTINGS_GIVE_UP_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_give_up_ms_range),
	[ECCP_A_SETTINGS_HALF_OPEN_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_half_open_ms_range),
	[ECCP_A_SETTINGS_PLANNED_MOVE_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_planned_move_ms_range),
	[ECCP_A_SETTINGS_NO_ADDRESS_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_no_address_ms_range),
	[ECCP_A_SETTINGS_DRAINING_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_draining_ms_range),
	[ECCP_A_SETTINGS_PREFER_DELAY_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_prefer_delay_ms_range),
	[ECCP_A_SETTINGS_CONTROL_RATE] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_control_rate_range),
	[ECCP_A_SETTINGS_MAX_CONNECTIONS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_max_connections_range),
	[ECCP_A_SETTINGS_MAX_HALF_OPEN] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_max_half_open_range),
	[ECCP_A_SETTINGS_PATH_TIMEOUT_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_path_timeout_ms_range),
	[ECCP_A_SETTINGS_KEEPALIVE_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_keepalive_ms_range),
	[ECCP_A_SETTINGS_MAX_FLOWS] = NLA_POLICY_RANGE(NLA_U32, 1, 4),
	[ECCP_A_SETTINGS_MAX_DATAGRAM_PEERS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_max_datagram_peers_range),
	[ECCP_A_SETTINGS_DATAGRAM_IDLE_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_datagram_idle_ms_range),
	[ECCP_A_SETTINGS_COOKIE_THRESHOLD] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_cookie_threshold_range),
	[ECCP_A_SETTINGS_RESET_KEY] = NLA_POLICY_EXACT_LEN(32),
	[ECCP_A_SETTINGS_NAT_KEEPALIVE_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_nat_keepalive_ms_range),
	[ECCP_A_SETTINGS_STRANGER_RATE] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_stranger_rate_range),
	[ECCP_A_SETTINGS_MTU_RAISE_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_mtu_raise_ms_range),
	[ECCP_A_SETTINGS_REDIRECT_ASK] = NLA_POLICY_MAX(NLA_U32, 1),
	[ECCP_A_SETTINGS_REDIRECT_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_settings_redirect_ms_range),
	[ECCP_A_SETTINGS_RENEW_FLOW_IDS] = NLA_POLICY_MAX(NLA_U32, 1),
};

/* ECCP_CMD_FLOW_ADD - do */
static const struct nla_policy eccp_flow_add_nl_policy[ECCP_A_ADD_BACKUP + 1] = {
	[ECCP_A_ADD_FLOW_ID] = NLA_POLICY_MIN(NLA_UINT, 1),
	[ECCP_A_ADD_FROM_IPV4] = { .type = NLA_BE32, },
	[ECCP_A_ADD_FROM_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[ECCP_A_ADD_FROM_IFINDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_add_from_ifindex_range),
	[ECCP_A_ADD_REMOTE_IPV4] = { .type = NLA_BE32, },
	[ECCP_A_ADD_REMOTE_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[ECCP_A_ADD_REMOTE_PORT] = { .type = NLA_BE16, },
	[ECCP_A_ADD_BACKUP] = { .type = NLA_FLAG, },
};

/* ECCP_CMD_FLOW_REMOVE - do */
static const struct nla_policy eccp_flow_remove_nl_policy[ECCP_A_FLOW_REF_FLOW_ID + 1] = {
	[ECCP_A_FLOW_REF_FLOW_ID] = NLA_POLICY_MIN(NLA_UINT, 1),
};

/* ECCP_CMD_FLOW_PREFER - do */
static const struct nla_policy eccp_flow_prefer_nl_policy[ECCP_A_FLOW_REF_FLOW_ID + 1] = {
	[ECCP_A_FLOW_REF_FLOW_ID] = NLA_POLICY_MIN(NLA_UINT, 1),
};

/* ECCP_CMD_RULE_ADD - do */
static const struct nla_policy eccp_rule_add_nl_policy[ECCP_A_RULE_NEVER + 1] = {
	[ECCP_A_RULE_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[ECCP_A_RULE_PREFIX_IPV4] = { .type = NLA_BE32, },
	[ECCP_A_RULE_PREFIX_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[ECCP_A_RULE_PREFIX_LEN] = NLA_POLICY_MAX(NLA_U8, 128),
	[ECCP_A_RULE_PRIORITY] = { .type = NLA_U8, },
	[ECCP_A_RULE_BACKUP] = { .type = NLA_FLAG, },
	[ECCP_A_RULE_METERED] = { .type = NLA_FLAG, },
	[ECCP_A_RULE_NEVER] = { .type = NLA_FLAG, },
};

/* ECCP_CMD_RULE_DELETE - do */
static const struct nla_policy eccp_rule_delete_nl_policy[ECCP_A_RULE_ID + 1] = {
	[ECCP_A_RULE_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* ECCP_CMD_REDIRECT_ADD - do */
static const struct nla_policy eccp_redirect_add_nl_policy[ECCP_A_REDIRECT_LEFT_MS + 1] = {
	[ECCP_A_REDIRECT_OLD_IPV4] = { .type = NLA_BE32, },
	[ECCP_A_REDIRECT_OLD_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[ECCP_A_REDIRECT_NEW_IPV4] = { .type = NLA_BE32, },
	[ECCP_A_REDIRECT_NEW_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[ECCP_A_REDIRECT_LEFT_MS] = NLA_POLICY_FULL_RANGE(NLA_U32, &eccp_a_redirect_left_ms_range),
};

/* ECCP_CMD_REDIRECT_DELETE - do */
static const struct nla_policy eccp_redirect_delete_nl_policy[ECCP_A_REDIRECT_FLOW_ID + 1] = {
	[ECCP_A_REDIRECT_OLD_IPV4] = { .type = NLA_BE32, },
	[ECCP_A_REDIRECT_OLD_IPV6] = NLA_POLICY_EXACT_LEN(16),
	[ECCP_A_REDIRECT_FLOW_ID] = NLA_POLICY_MIN(NLA_UINT, 1),
};

/* Ops table for eccp */
static const struct genl_split_ops eccp_nl_ops[] = {
	{
		.cmd	= ECCP_CMD_INFO_GET,
		.doit	= eccp_nl_info_get_doit,
		.flags	= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ECCP_CMD_CONNECTION_GET,
		.doit		= eccp_nl_connection_get_doit,
		.policy		= eccp_connection_get_nl_policy,
		.maxattr	= ECCP_A_CONNECTION_ID,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= ECCP_CMD_CONNECTION_GET,
		.dumpit	= eccp_nl_connection_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= ECCP_CMD_FLOW_GET,
		.doit		= eccp_nl_flow_get_doit,
		.policy		= eccp_flow_get_nl_policy,
		.maxattr	= ECCP_A_FLOW_LOCAL_ID,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= ECCP_CMD_FLOW_GET,
		.dumpit	= eccp_nl_flow_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= ECCP_CMD_FLOW_MOVE,
		.doit		= eccp_nl_flow_move_doit,
		.policy		= eccp_flow_move_nl_policy,
		.maxattr	= ECCP_A_MOVE_TO_IFINDEX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= ECCP_CMD_SETTINGS_GET,
		.doit	= eccp_nl_settings_get_doit,
		.flags	= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ECCP_CMD_SETTINGS_SET,
		.doit		= eccp_nl_settings_set_doit,
		.policy		= eccp_settings_set_nl_policy,
		.maxattr	= ECCP_A_SETTINGS_RENEW_FLOW_IDS,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= ECCP_CMD_STATS_GET,
		.doit	= eccp_nl_stats_get_doit,
		.flags	= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ECCP_CMD_FLOW_ADD,
		.doit		= eccp_nl_flow_add_doit,
		.policy		= eccp_flow_add_nl_policy,
		.maxattr	= ECCP_A_ADD_BACKUP,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ECCP_CMD_FLOW_REMOVE,
		.doit		= eccp_nl_flow_remove_doit,
		.policy		= eccp_flow_remove_nl_policy,
		.maxattr	= ECCP_A_FLOW_REF_FLOW_ID,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ECCP_CMD_FLOW_PREFER,
		.doit		= eccp_nl_flow_prefer_doit,
		.policy		= eccp_flow_prefer_nl_policy,
		.maxattr	= ECCP_A_FLOW_REF_FLOW_ID,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ECCP_CMD_RULE_ADD,
		.doit		= eccp_nl_rule_add_doit,
		.policy		= eccp_rule_add_nl_policy,
		.maxattr	= ECCP_A_RULE_NEVER,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ECCP_CMD_RULE_DELETE,
		.doit		= eccp_nl_rule_delete_doit,
		.policy		= eccp_rule_delete_nl_policy,
		.maxattr	= ECCP_A_RULE_ID,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= ECCP_CMD_RULE_GET,
		.dumpit	= eccp_nl_rule_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= ECCP_CMD_REDIRECT_ADD,
		.doit		= eccp_nl_redirect_add_doit,
		.policy		= eccp_redirect_add_nl_policy,
		.maxattr	= ECCP_A_REDIRECT_LEFT_MS,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= ECCP_CMD_REDIRECT_DELETE,
		.doit		= eccp_nl_redirect_delete_doit,
		.policy		= eccp_redirect_delete_nl_policy,
		.maxattr	= ECCP_A_REDIRECT_FLOW_ID,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= ECCP_CMD_REDIRECT_GET,
		.dumpit	= eccp_nl_redirect_get_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
};

static const struct genl_multicast_group eccp_nl_mcgrps[] = {
	[ECCP_NLGRP_EVENTS] = { "events", },
};

struct genl_family eccp_nl_family __ro_after_init = {
	.name		= ECCP_FAMILY_NAME,
	.version	= ECCP_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= eccp_nl_ops,
	.n_split_ops	= ARRAY_SIZE(eccp_nl_ops),
	.mcgrps		= eccp_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(eccp_nl_mcgrps),
};
