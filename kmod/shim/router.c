// SPDX-License-Identifier: GPL-2.0
/* Packets that this host passes on as a router: the hooks of the redirection cache. */
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/ip6_checksum.h>

#include "internal.h"

#define SHIM_LOOKED_AT 28 /* bytes of a control packet before its options */

/* Changes where a packet goes, whose IP header is at skb->data. Its checksums follow. */
static bool shim_router_readdress(struct sk_buff *skb, u32 kind, u32 offset, const u8 *to)
{
	struct udphdr *uh = NULL;

	if (skb_ensure_writable(skb, offset))
		return false;
	if (kind & SHIM_KIND_UDP)
		uh = (void *)(skb->data + offset - sizeof(*uh));
	if (uh && !uh->check && skb->ip_summed != CHECKSUM_PARTIAL)
		uh = NULL; /* sent without one */
	if (kind & SHIM_KIND_V6) {
		struct ipv6hdr *h = ipv6_hdr(skb);

		if (uh)
			inet_proto_csum_replace16(&uh->check, skb, h->daddr.s6_addr32, (const __be32 *)to, true);
		memcpy(&h->daddr, to, 16);
	} else {
		struct iphdr *iph = ip_hdr(skb);
		__be32 addr = shim_v4(to);

		if (uh)
			inet_proto_csum_replace4(&uh->check, skb, iph->daddr, addr, true);
		csum_replace4(&iph->check, iph->daddr, addr);
		iph->daddr = addr;
	}
	if (uh && !uh->check)
		uh->check = CSUM_MANGLED_0;
	skb_clear_hash(skb);
	return true;
}

static unsigned int shim_router_look(struct sk_buff *skb, u32 kind, u32 offset)
{
	u8 to[16] __aligned(4);
	u32 verdict;

	if (!pskb_may_pull(skb, offset + SHIM_LOOKED_AT))
		return NF_ACCEPT;
	/* For a moment only: what is known of the checksum stays as it is. */
	__skb_pull(skb, offset);
	verdict = eccp_rust_router(skb, kind, to);
	if (verdict == SHIM_ROUTER_TAKES)
		return NF_STOLEN;
	__skb_push(skb, offset);
	if (verdict == SHIM_ROUTER_SENDS_ON && !shim_router_readdress(skb, kind, offset, to))
		return NF_DROP;
	return NF_ACCEPT;
}

/* The offset of what may be an ECCP packet; 0: it is none. */
static u32 shim_router_offset(struct sk_buff *skb, u8 protocol, u32 offset, u32 *kind)
{
	const struct shim_net *sn = net_generic(dev_net(skb->dev), shim_net_id);
	struct udphdr *uh;

	if (protocol == shim_protocol)
		return offset;
	if (protocol != IPPROTO_UDP || !pskb_may_pull(skb, offset + sizeof(*uh)))
		return 0;
	uh = (void *)(skb->data + offset);
	if (ntohs(uh->dest) != READ_ONCE(sn->router_port))
		return 0;
	*kind |= SHIM_KIND_UDP;
	return offset + sizeof(*uh);
}

static unsigned int shim_router_hook4(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct iphdr *iph = ip_hdr(skb);
	u32 kind = 0, offset;

	if (ip_is_fragment(iph) || skb_is_gso(skb))
		return NF_ACCEPT;
	offset = shim_router_offset(skb, iph->protocol, ip_hdrlen(skb), &kind);
	return offset ? shim_router_look(skb, kind, offset) : NF_ACCEPT;
}

static unsigned int shim_router_hook6(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	u32 kind = SHIM_KIND_V6, offset;

	if (skb_is_gso(skb))
		return NF_ACCEPT;
	offset = shim_router_offset(skb, ipv6_hdr(skb)->nexthdr, sizeof(struct ipv6hdr), &kind);
	return offset ? shim_router_look(skb, kind, offset) : NF_ACCEPT;
}

/* Before connection tracking, which shall see where a packet goes in the end. */
static const struct nf_hook_ops shim_router_ops[] = {
	{
		.hook = shim_router_hook4,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_RAW_BEFORE_DEFRAG,
	},
	{
		.hook = shim_router_hook6,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP6_PRI_RAW_BEFORE_DEFRAG,
	},
};

/* Hooks in, or out with a port of zero; one caller at a time. */
int shim_router_set(struct net *net, u16 udp_port)
{
	struct shim_net *sn = net_generic(net, shim_net_id);
	int err = 0;

	if (udp_port && !sn->router_port)
		err = nf_register_net_hooks(net, shim_router_ops, ARRAY_SIZE(shim_router_ops));
	else if (!udp_port && sn->router_port)
		nf_unregister_net_hooks(net, shim_router_ops, ARRAY_SIZE(shim_router_ops));
	if (!err)
		WRITE_ONCE(sn->router_port, udp_port);
	return err;
}

/* Whether the source of a packet is on the link that the packet came by. */
bool shim_router_neighbour(const struct sk_buff *skb, u32 kind)
{
	struct shim_origin origin;
	struct shim_path path = {};
	struct dst_entry *dst;
	bool direct;
	u32 cookie;

	shim_skb_origin(skb, kind, &origin);
	memcpy(path.remote, origin.remote, 16);
	path.v6 = origin.v6;
	dst = shim_route(dev_net(skb->dev), NULL, &path, &cookie, NULL);
	if (IS_ERR(dst))
		return false;
	direct = dst->dev == skb->dev;
	if (path.v6)
		direct = direct && !(dst_rt6_info(dst)->rt6i_flags & RTF_GATEWAY);
	else
		direct = direct && !dst_rtable(dst)->rt_uses_gateway;
	dst_release(dst);
	return direct;
}
