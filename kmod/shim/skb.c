// SPDX-License-Identifier: GPL-2.0
/* Packet buffers: macros and inlines that Rust needs. */
#include <linux/unaligned.h>

#include "internal.h"

u8 *shim_skb_pull(struct sk_buff *skb, u32 len)
{
	return pskb_may_pull(skb, len) ? skb->data : NULL;
}

u32 shim_skb_segments(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->gso_segs ?: 1;
}

u32 shim_skb_len(const struct sk_buff *skb)
{
	return skb->len;
}

bool shim_skb_is_host(const struct sk_buff *skb)
{
	return skb->pkt_type == PACKET_HOST;
}

int shim_skb_copy(const struct sk_buff *skb, u8 *to, u32 len)
{
	return skb_copy_bits(skb, 0, to, len);
}

void shim_skb_drop(struct sk_buff *skb)
{
	kfree_skb(skb);
}

struct net *shim_skb_net(const struct sk_buff *skb)
{
	return dev_net(skb->dev);
}

void shim_skb_origin(const struct sk_buff *skb, u32 kind, struct shim_origin *o)
{
	memset(o, 0, sizeof(*o));
	o->v6 = !!(kind & SHIM_KIND_V6);
	o->udp = !!(kind & SHIM_KIND_UDP);
	o->ifindex = skb->skb_iif;
	if (o->v6) {
		memcpy(o->local, &ipv6_hdr(skb)->daddr, 16);
		memcpy(o->remote, &ipv6_hdr(skb)->saddr, 16);
	} else {
		ipv6_addr_set_v4mapped(ip_hdr(skb)->daddr, (struct in6_addr *)o->local);
		ipv6_addr_set_v4mapped(ip_hdr(skb)->saddr, (struct in6_addr *)o->remote);
	}
	if (o->udp) {
		const struct udphdr *uh = (void *)(skb->data - sizeof(*uh));

		o->local_port = ntohs(uh->dest);
		o->remote_port = ntohs(uh->source);
	}
}

u8 *shim_skb_push_header(struct sk_buff *skb)
{
	return skb_push(skb, SHIM_HEADER_LEN);
}

/* The flag byte of the TCP segment behind a pulled ECCP header; 0: none. */
u32 shim_skb_tcp_flags(const struct sk_buff *skb, u32 *end_seq, u32 *tsval)
{
	struct {
		struct tcphdr th;
		__be32 options[3];
	} seg = {};
	u32 want = min_t(u32, sizeof(seg), skb->len - SHIM_HEADER_LEN);

	if (skb->len < SHIM_HEADER_LEN + sizeof(struct tcphdr) || skb_copy_bits(skb, SHIM_HEADER_LEN, &seg, want))
		return 0;
	*end_seq = ntohl(seg.th.seq) + skb->len - SHIM_HEADER_LEN - seg.th.doff * 4 + seg.th.syn + seg.th.fin;
	*tsval = 0;
	if (seg.th.doff >= 8 && want == sizeof(seg) &&
	    seg.options[0] == htonl((TCPOPT_NOP << 24) | (TCPOPT_NOP << 16) | (TCPOPT_TIMESTAMP << 8) | TCPOLEN_TIMESTAMP))
		*tsval = ntohl(seg.options[1]);
	return ((u8 *)&seg.th)[13];
}
