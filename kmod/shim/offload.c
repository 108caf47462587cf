// SPDX-License-Identifier: GPL-2.0
/* Segmentation and aggregation of data packets, by way of TCP's own. */
#include <net/gro.h>
#include <net/gso.h>

#include "internal.h"

static struct sk_buff *shim_gso_segment(struct sk_buff *skb, netdev_features_t features)
{
	if (!pskb_may_pull(skb, SHIM_HEADER_LEN))
		return ERR_PTR(-EINVAL);
	__skb_pull(skb, SHIM_HEADER_LEN);
	skb_reset_transport_header(skb);
	if (!(features & NETIF_F_HW_CSUM))
		features &= ~NETIF_F_CSUM_MASK;
	return rcu_dereference(inet_offloads[IPPROTO_TCP])->callbacks.gso_segment(skb, features);
}

/* The header lies just before the GRO offset; its flow ID gives the pseudo header. */
static __wsum shim_gro_pseudo(const struct sk_buff *skb, int proto)
{
	const u8 *h = (const u8 *)skb->data + skb_gro_offset(skb) - SHIM_HEADER_LEN;
	__wsum sum = 0;

	if (skb_gro_may_pull(skb, skb_gro_offset(skb)))
		h = skb_gro_header_fast((struct sk_buff *)skb, skb_gro_offset(skb) - SHIM_HEADER_LEN);
	if (!eccp_rust_pseudo(h, &sum))
		return ~(__force __wsum)0; /* not verified: the packet goes up alone */
	return csum_add(sum, (__force __wsum)htonl(skb_gro_len(skb)));
}

static struct sk_buff *shim_gro_receive(struct list_head *head, struct sk_buff *skb)
{
	const struct net_offload *tcp = rcu_dereference(inet_offloads[IPPROTO_TCP]);
	unsigned int off = skb_gro_offset(skb);
	struct sk_buff *p, *pp = NULL;
	__wsum sum;
	int flush = 1;
	u8 *h;

	h = skb_gro_header(skb, off + SHIM_HEADER_LEN, off);
	if (unlikely(!h) || (skb->dev->features & NETIF_F_GRO_FRAGLIST))
		goto out;
	/* Only data of flows that end here is aggregated. */
	if (!eccp_rust_pseudo(h, &sum))
		goto out;
	list_for_each_entry(p, head, list) {
		if (NAPI_GRO_CB(p)->same_flow && memcmp(h, p->data + off, SHIM_HEADER_LEN))
			NAPI_GRO_CB(p)->same_flow = 0;
	}
	skb_gro_pull(skb, SHIM_HEADER_LEN);
	skb_gro_postpull_rcsum(skb, h, SHIM_HEADER_LEN);
	skb_set_transport_header(skb, skb_gro_offset(skb));
	if (!NAPI_GRO_CB(skb)->flush && skb_gro_checksum_validate(skb, IPPROTO_TCP, shim_gro_pseudo))
		goto out;
	NAPI_GRO_CB(skb)->csum_cnt = 1; /* Verified above: TCP's own GRO takes it from here. */
	flush = 0;
	pp = call_gro_receive(tcp->callbacks.gro_receive, head, skb);
out:
	skb_gro_flush_final(skb, pp, flush);
	return pp;
}

static int shim_gro_complete(struct sk_buff *skb, int nhoff)
{
	int thoff = nhoff + SHIM_HEADER_LEN;
	struct tcphdr *th = tcp_hdr(skb);
	__wsum sum = 0;

	if (eccp_rust_pseudo(skb->data + nhoff, &sum))
		th->check = ~csum_fold(csum_add(sum, (__force __wsum)htonl(skb->len - thoff)));
	skb_shinfo(skb)->gso_type |= SKB_GSO_TCPV4 | SKB_GSO_SCTP;
	tcp_gro_complete(skb);
	return 0;
}

struct sk_buff *shim_udp_gro_receive(struct sock *sk, struct list_head *head, struct sk_buff *skb)
{
	NAPI_GRO_CB(skb)->encap_mark = 0;
	return shim_gro_receive(head, skb);
}

int shim_udp_gro_complete(struct sock *sk, struct sk_buff *skb, int nhoff)
{
	int err = shim_gro_complete(skb, nhoff);

	skb_set_inner_mac_header(skb, nhoff);
	return err;
}

static struct net_offload shim_offload = {
	.callbacks = {
		.gso_segment = shim_gso_segment,
		.gro_receive = shim_gro_receive,
		.gro_complete = shim_gro_complete,
	},
};

int shim_offload_register(void)
{
	int err = inet_add_offload(&shim_offload, shim_protocol);

	if (err)
		return -EEXIST;
	if (inet6_add_offload(&shim_offload, shim_protocol)) {
		inet_del_offload(&shim_offload, shim_protocol);
		return -EEXIST;
	}
	return 0;
}

void shim_offload_unregister(void)
{
	inet6_del_offload(&shim_offload, shim_protocol);
	inet_del_offload(&shim_offload, shim_protocol);
}
