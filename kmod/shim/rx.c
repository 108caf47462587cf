// SPDX-License-Identifier: GPL-2.0
/* From the network: protocol handlers, and delivery into a TCP endpoint. */
#include <linux/icmp.h>
#include <linux/unaligned.h>
#include <net/icmp.h>

#include "internal.h"

static int shim_rcv4(struct sk_buff *skb)
{
	return eccp_rust_rx(skb, 0);
}

static int shim_rcv6(struct sk_buff *skb)
{
	eccp_rust_rx(skb, SHIM_KIND_V6);
	return 0;
}

/* encap_rcv of the UDP sockets; returns 0: the packet is ours in any case. */
int shim_udp_rcv(struct sock *sk, struct sk_buff *skb)
{
	u32 kind = SHIM_KIND_UDP | (sk->sk_family == AF_INET6 ? SHIM_KIND_V6 : 0);

	if (!pskb_may_pull(skb, sizeof(struct udphdr))) {
		kfree_skb(skb);
		return 0;
	}
	skb_pull_rcsum(skb, sizeof(struct udphdr));
	eccp_rust_rx(skb, kind);
	return 0;
}

/*
 * Notes data that does not come from the path's far end: a NAT may have given
 * the peer another address. The path is read without its lock, because the
 * core compares again.
 */
void shim_rx_look_at_source(const struct sk_buff *skb, struct shim_flow *flow, u32 kind)
{
	const struct shim_path *path = &flow->path;
	struct shim_origin origin;

	if (kind & SHIM_KIND_UDP && !path->udp)
		return;
	if (kind & SHIM_KIND_UDP) {
		const struct udphdr *uh = (void *)(skb->data - sizeof(*uh));

		if (ntohs(uh->source) != READ_ONCE(path->remote_port))
			goto stray;
	}
	if (kind & SHIM_KIND_V6 ? !memcmp(&ipv6_hdr(skb)->saddr, path->remote, 16) :
				  ip_hdr(skb)->saddr == shim_v4(path->remote))
		return;
stray:
	if (!time_after(jiffies, READ_ONCE(flow->stray_at) + HZ / 20))
		return;
	shim_skb_origin(skb, kind, &origin);
	spin_lock_bh(&flow->held.lock);
	flow->stray = origin;
	flow->stray_receiver = get_unaligned_be64(skb->data);
	flow->stray_len = skb->len;
	WRITE_ONCE(flow->stray_at, jiffies);
	spin_unlock_bh(&flow->held.lock);
	eccp_rust_stray(flow->owner);
}

/* What was noted since the last call; false: nothing. */
bool shim_rx_take_stray(struct shim_flow *flow, struct shim_origin *origin, u64 *receiver, u32 *len)
{
	spin_lock_bh(&flow->held.lock);
	*origin = flow->stray;
	*receiver = flow->stray_receiver;
	*len = flow->stray_len;
	flow->stray_len = 0;
	spin_unlock_bh(&flow->held.lock);
	return *len != 0;
}

/*
 * Makes a data packet look as if it had come in IPv4 between the virtual
 * addresses of the flow; false: no memory, and nothing has changed.
 */
bool shim_rx_unwrap(struct sk_buff *skb, const struct shim_flow *flow, u32 kind, u8 protocol)
{
	u8 tos, ttl;
	struct iphdr *iph;

	if (kind & SHIM_KIND_V6) {
		tos = ipv6_get_dsfield(ipv6_hdr(skb));
		ttl = ipv6_hdr(skb)->hop_limit;
	} else {
		tos = ip_hdr(skb)->tos;
		ttl = ip_hdr(skb)->ttl;
	}
	if (skb_cow_head(skb, 0))
		return false;
	skb_pull_rcsum(skb, SHIM_HEADER_LEN);
	skb->encapsulation = 0;
	skb->protocol = htons(ETH_P_IP);
	skb_reset_transport_header(skb);
	/* The virtual header lies over the outer headers, which are done with. */
	skb_set_network_header(skb, -(int)sizeof(*iph));
	iph = ip_hdr(skb);
	memset(iph, 0, sizeof(*iph));
	iph->version = 4;
	iph->ihl = 5;
	iph->tos = tos;
	iph->ttl = ttl;
	iph->protocol = protocol;
	iph->saddr = shim_virtual_addr(flow->remote_id);
	iph->daddr = shim_virtual_addr(flow->local_id);
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	IPCB(skb)->iif = skb->skb_iif;
	return true;
}

/* Hands a data packet, ECCP header first, to the flow's TCP endpoint. */
int shim_rx_deliver(struct sk_buff *skb, struct shim_flow *flow, u32 kind)
{
	struct shim_net *sn = net_generic(dev_net(skb->dev), shim_net_id);
	struct sock *sk = flow->inner->sk;

	shim_rx_look_at_source(skb, flow, kind);
	if (!shim_rx_unwrap(skb, flow, kind, IPPROTO_TCP)) {
		kfree_skb(skb);
		return 0;
	}
	flow->rx_packets += skb_shinfo(skb)->gso_segs ?: 1;
	flow->rx_bytes += skb->len;
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, &sn->inside->dst);
	skb_orphan(skb);
	if (refcount_inc_not_zero(&sk->sk_refcnt)) {
		skb->sk = sk;
		skb->destructor = sock_edemux;
	}
	return rcu_dereference(inet_protos[IPPROTO_TCP])->handler(skb);
}

/* Keeps a data packet that came before its flow was set up; false: full. */
bool shim_rx_hold(struct sk_buff *skb, struct shim_flow *flow, u32 kind, u32 limit)
{
	struct shim_skb_mark *mark = (void *)skb->cb;
	bool ok;

	/* Neither the routing entry nor the receiving device may be leaned on later without a reference. */
	skb_dst_drop(skb);
	spin_lock_bh(&flow->held.lock);
	ok = skb_queue_len(&flow->held) < limit;
	if (ok) {
		mark->kind = kind;
		__skb_queue_tail(&flow->held, skb);
	}
	spin_unlock_bh(&flow->held.lock);
	return ok;
}

void shim_rx_release_held(struct shim_flow *flow)
{
	struct sk_buff *skb;

	local_bh_disable();
	rcu_read_lock();
	while ((skb = skb_dequeue(&flow->held))) {
		struct net *net = sock_net(flow->inner->sk);
		struct shim_skb_mark *mark = (void *)skb->cb;

		/* The device may have gone while the packet waited. */
		skb->dev = dev_get_by_index_rcu(net, skb->skb_iif) ?: net->loopback_dev;
		shim_rx_deliver(skb, flow, mark->kind);
	}
	rcu_read_unlock();
	local_bh_enable();
}

/* ICMP: the first 8 bytes quoted behind the outer header are the peer's flow ID. */
static int shim_err4(struct sk_buff *skb, u32 info)
{
	if (icmp_hdr(skb)->type == ICMP_DEST_UNREACH && icmp_hdr(skb)->code == ICMP_FRAG_NEEDED &&
	    pskb_may_pull(skb, ip_hdrlen(skb) + 8))
		eccp_rust_icmp(dev_net(skb->dev), skb->data + ip_hdrlen(skb), skb, info, 0);
	return 0;
}

static int shim_err6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type, u8 code, int offset, __be32 info)
{
	if (type == ICMPV6_PKT_TOOBIG && pskb_may_pull(skb, offset + 8))
		eccp_rust_icmp(dev_net(skb->dev), skb->data + offset, skb, ntohl(info), SHIM_KIND_V6);
	return 0;
}

void shim_pmtu(struct net *net, struct sk_buff *skb, u32 mtu, u32 kind)
{
	if (kind & SHIM_KIND_V6)
		ip6_update_pmtu(skb, net, htonl(mtu), 0, 0, INVALID_UID);
	else
		ipv4_update_pmtu(skb, net, mtu, 0, shim_protocol);
}

static struct net_protocol shim_proto4 = {
	.handler = shim_rcv4,
	.err_handler = shim_err4,
	.no_policy = 1,
};

static struct inet6_protocol shim_proto6 = {
	.handler = shim_rcv6,
	.err_handler = shim_err6,
	.flags = INET6_PROTO_NOPOLICY | INET6_PROTO_FINAL,
};

int shim_rx_register(void)
{
	if (inet_add_protocol(&shim_proto4, shim_protocol))
		return -EEXIST;
	if (inet6_add_protocol(&shim_proto6, shim_protocol)) {
		inet_del_protocol(&shim_proto4, shim_protocol);
		return -EEXIST;
	}
	return 0;
}

void shim_rx_unregister(void)
{
	inet6_del_protocol(&shim_proto6, shim_protocol);
	inet_del_protocol(&shim_proto4, shim_protocol);
}
