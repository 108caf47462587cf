// SPDX-License-Identifier: GPL-2.0
/* To the network: routes and outer headers. */
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>

#include "internal.h"

/* Routes a path; writes the source that routing chose to @chosen if asked to. */
struct dst_entry *shim_route(struct net *net, struct sock *sk, const struct shim_path *path, u32 *cookie,
			     struct shim_path *chosen)
{
	u8 proto = path->udp ? IPPROTO_UDP : shim_protocol;

	if (path->v6) {
		struct flowi6 fl6 = {
			.flowi6_proto = proto,
			.flowi6_oif = path->ifindex,
			.flowi6_mark = sk ? READ_ONCE(sk->sk_mark) : 0,
			.fl6_sport = htons(path->local_port),
			.fl6_dport = htons(path->remote_port),
		};
		struct dst_entry *dst;

		memcpy(&fl6.saddr, path->local, 16);
		memcpy(&fl6.daddr, path->remote, 16);
		dst = ip6_dst_lookup_flow(net, sk, &fl6, NULL);
		if (IS_ERR(dst))
			return dst;
		*cookie = rt6_get_cookie(dst_rt6_info(dst));
		if (chosen)
			memcpy(chosen->local, &fl6.saddr, 16);
		return dst;
	} else {
		struct flowi4 fl4 = {
			.flowi4_proto = proto,
			.flowi4_oif = path->ifindex,
			.flowi4_mark = sk ? READ_ONCE(sk->sk_mark) : 0,
			.flowi4_flags = path->foreign ? FLOWI_FLAG_ANYSRC : 0,
			.saddr = shim_v4(path->local),
			.daddr = shim_v4(path->remote),
			.fl4_sport = htons(path->local_port),
			.fl4_dport = htons(path->remote_port),
		};
		struct rtable *rt = ip_route_output_flow(net, &fl4, sk);

		if (IS_ERR(rt))
			return ERR_CAST(rt);
		*cookie = 0;
		if (chosen)
			ipv6_addr_set_v4mapped(fl4.saddr, (struct in6_addr *)chosen->local);
		return &rt->dst;
	}
}

/* Completes a path whose local address is open, as routing would have it. */
int shim_tx_source(struct net *net, struct shim_path *path)
{
	struct shim_path wanted = *path;
	struct dst_entry *dst;
	u32 cookie;

	dst = shim_route(net, NULL, &wanted, &cookie, path);
	if (IS_ERR(dst))
		return PTR_ERR(dst);
	path->ifindex = dst->dev->ifindex;
	dst_release(dst);
	return 0;
}

/*
 * Called with the inner socket locked. The socket keeps the route. By a link without carrier there
 * is none, though the news of it may be on its way yet: a packet would wait there for a neighbour,
 * and until ARP gives up after three seconds TCP would not repeat it on any other path.
 */
int shim_tx_route(struct sock *sk, struct shim_flow *flow)
{
	struct net *net = sock_net(sk);
	struct dst_entry *dst = __sk_dst_check(sk, flow->cookie);

	if (!dst) {
		dst = shim_route(net, sk, &flow->path, &flow->cookie, NULL);
		if (IS_ERR(dst))
			return PTR_ERR(dst);
		sk_setup_caps(sk, dst);
	}
	return shim_net_carries(net, dst) ? 0 : -ENETDOWN;
}

bool shim_tx_usable(const struct shim_flow *flow)
{
	return flow->path.usable;
}

static void shim_tx_udp(struct sk_buff *skb, const struct shim_path *path)
{
	struct udphdr *uh;

	/* Not skb_reset_inner_headers(): it would copy the outer offsets. */
	skb_reset_inner_mac_header(skb);
	skb_reset_inner_network_header(skb);
	skb->inner_transport_header = skb->transport_header;
	skb_set_inner_ipproto(skb, shim_protocol);
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		skb->encapsulation = 1;
	if (skb_is_gso(skb))
		skb_shinfo(skb)->gso_type |= SKB_GSO_UDP_TUNNEL_CSUM;
	uh = skb_push(skb, sizeof(*uh));
	skb_reset_transport_header(skb);
	uh->source = htons(path->local_port);
	uh->dest = htons(path->remote_port);
	uh->len = htons(skb->len);
	uh->check = 0;
	if (path->v6)
		udp6_set_csum(false, skb, (struct in6_addr *)path->local, (struct in6_addr *)path->remote, skb->len);
	else
		udp_set_csum(false, skb, shim_v4(path->local), shim_v4(path->remote), skb->len);
}

static void shim_push_ipv6(struct sk_buff *skb, const struct shim_path *path, u8 tos, __be32 label, int hops)
{
	struct ipv6hdr *h = skb_push(skb, sizeof(*h));

	skb_reset_network_header(skb);
	ip6_flow_hdr(h, tos, label);
	h->payload_len = htons(skb->len - sizeof(*h));
	h->nexthdr = path->udp ? IPPROTO_UDP : shim_protocol;
	h->hop_limit = hops;
	memcpy(&h->saddr, path->local, 16);
	memcpy(&h->daddr, path->remote, 16);
	skb->protocol = htons(ETH_P_IPV6);
	memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
}

static void shim_push_ipv4(struct net *net, struct sock *sk, struct sk_buff *skb, const struct shim_path *path, u8 tos,
			   int ttl)
{
	struct iphdr *iph = skb_push(skb, sizeof(*iph));

	skb_reset_network_header(skb);
	*(__be16 *)iph = htons((4 << 12) | (5 << 8) | tos);
	iph->frag_off = htons(IP_DF);
	iph->ttl = ttl;
	iph->protocol = path->udp ? IPPROTO_UDP : shim_protocol;
	iph->saddr = shim_v4(path->local);
	iph->daddr = shim_v4(path->remote);
	skb->protocol = htons(ETH_P_IP);
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	ip_select_ident_segs(net, skb, sk, skb_shinfo(skb)->gso_segs ?: 1);
}

/* Sends what stands behind its ECCP header along a path, in the name of @sk. Borrows the route. */
int shim_tx_along(struct sock *sk, struct sk_buff *skb, const struct shim_path *path, struct dst_entry *dst, u32 hash)
{
	struct net *net = sock_net(sk);
	u8 tos = inet_sk(sk)->tos;
	int err;

	rcu_read_lock();
	skb_dst_set_noref(skb, dst);
	shim_net_carries(net, dst);
	if (path->udp)
		shim_tx_udp(skb, path);
	/* Many NICs trust the TCP checksum offset but parse only protocol 6. */
	if (!skb_is_gso(skb) && skb->ip_summed == CHECKSUM_PARTIAL && !(dst->dev->features & NETIF_F_HW_CSUM) &&
	    skb_checksum_help(skb)) {
		rcu_read_unlock();
		kfree_skb(skb);
		return -ENOMEM;
	}
	skb->priority = READ_ONCE(sk->sk_priority);
	skb->mark = READ_ONCE(sk->sk_mark);
	if (path->v6) {
		shim_push_ipv6(skb, path, tos, htonl(hash & 0xfffff), ip6_dst_hoplimit(dst));
		err = ip6_local_out(net, sk, skb);
	} else {
		shim_push_ipv4(net, sk, skb, path, tos, ip4_dst_hoplimit(dst));
		err = ip_local_out(net, sk, skb);
	}
	rcu_read_unlock();
	return net_xmit_eval(err);
}

/* Sends a segment behind its ECCP header. The socket is locked and has a route. */
int shim_tx_send(struct sock *sk, struct sk_buff *skb, struct shim_flow *flow)
{
	flow->tx_packets += skb_shinfo(skb)->gso_segs ?: 1;
	flow->tx_bytes += skb->len;
	return shim_tx_along(sk, skb, &flow->path, __sk_dst_get(sk), sk->sk_txhash);
}

/* Sends one packet of our own making, no socket involved. Consumes skb. */
static int shim_tx_own(struct net *net, struct sk_buff *skb, const struct shim_path *wanted)
{
	struct shim_path path = *wanted;
	struct dst_entry *dst;
	u32 cookie;
	int err;

	dst = shim_route(net, NULL, wanted, &cookie, &path);
	if (IS_ERR(dst)) {
		kfree_skb(skb);
		return PTR_ERR(dst);
	}
	if (path.udp) {
		struct udphdr *uh = skb_push(skb, sizeof(*uh));

		skb_reset_transport_header(skb);
		uh->source = htons(path.local_port);
		uh->dest = htons(path.remote_port);
		uh->len = htons(skb->len);
		uh->check = 0;
		if (path.v6)
			udp6_set_csum(false, skb, (struct in6_addr *)path.local, (struct in6_addr *)path.remote,
				      skb->len);
		else
			udp_set_csum(false, skb, shim_v4(path.local), shim_v4(path.remote), skb->len);
	} else {
		skb_reset_transport_header(skb);
	}
	skb_dst_set(skb, dst);
	skb->dev = dst->dev;
	local_bh_disable();
	if (path.v6) {
		shim_push_ipv6(skb, &path, 0, 0, ip6_dst_hoplimit(dst));
		err = ip6_local_out(net, NULL, skb);
	} else {
		shim_push_ipv4(net, NULL, skb, &path, 0, ip4_dst_hoplimit(dst));
		err = ip_local_out(net, NULL, skb);
	}
	local_bh_enable();
	return net_xmit_eval(err);
}

int shim_tx_control(struct net *net, const struct shim_path *path, const u8 *packet, u32 len, bool atomic)
{
	struct sk_buff *skb = alloc_skb(MAX_HEADER + 64 + len, atomic ? GFP_ATOMIC | __GFP_NOWARN : GFP_KERNEL);

	if (!skb)
		return -ENOMEM;
	skb_reserve(skb, MAX_HEADER + 64);
	skb_put_data(skb, packet, len);
	return shim_tx_own(net, skb, path);
}

/* The bare ACK with which a closed flow answers a repeated FIN. */
int shim_tx_tail_ack(struct net *net, const struct shim_path *path, struct shim_flow *flow, const struct shim_tail *tail,
		     u32 tsecr)
{
	const u32 tcp_len = sizeof(struct tcphdr) + TCPOLEN_TSTAMP_ALIGNED;
	struct sk_buff *skb = alloc_skb(MAX_HEADER + 64 + SHIM_HEADER_LEN + tcp_len, GFP_ATOMIC);
	struct tcphdr *th;
	__be32 *options;
	u8 *header;

	if (!skb)
		return -ENOMEM;
	skb_reserve(skb, MAX_HEADER + 64);
	header = skb_put_zero(skb, SHIM_HEADER_LEN + tcp_len);
	put_unaligned_be64(path->receiver, header);
	header[8] = 0x10;
	header[9] = SHIM_HEADER_LEN / 4;
	header[10] = IPPROTO_TCP;
	th = (void *)(header + SHIM_HEADER_LEN);
	th->source = htons(shim_virtual_port(flow->local_id));
	th->dest = htons(shim_virtual_port(flow->remote_id));
	th->seq = htonl(tail->seq);
	th->ack_seq = htonl(tail->ack);
	th->doff = tcp_len / 4;
	th->ack = 1;
	th->window = htons(tail->window);
	options = (void *)(th + 1);
	options[0] = htonl((TCPOPT_NOP << 24) | (TCPOPT_NOP << 16) | (TCPOPT_TIMESTAMP << 8) | TCPOLEN_TIMESTAMP);
	options[1] = htonl(tail->tsval);
	options[2] = htonl(tsecr ?: tail->tsecr);
	th->check = tcp_v4_check(tcp_len, shim_virtual_addr(flow->local_id), shim_virtual_addr(flow->remote_id),
				 csum_partial(th, tcp_len, 0));
	return shim_tx_own(net, skb, path);
}
