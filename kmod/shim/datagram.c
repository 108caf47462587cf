// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams: the packet side of flows that carry them.
 *
 * An AF_ECCP socket of type SOCK_DGRAM owns a UDP socket of this kernel that is
 * bound to nothing, so that nothing but a flow can reach it. It queues, accounts
 * and hands out what was received, and is charged for what is sent.
 */
#include <net/inet_common.h>
#include <net/protocol.h>
#include <net/udp.h>

#include "internal.h"

#define SHIM_DGRAM_HEADROOM (MAX_HEADER + 64 + sizeof(struct ipv6hdr) + 2 * sizeof(struct udphdr) + SHIM_HEADER_LEN)

/* Whoever sleeps or polls on @sock is woken by the UDP socket itself. */
struct socket *shim_dgram_new(struct net *net, struct socket *sock)
{
	struct socket *inner;

	if (sock_create_kern(net, AF_INET, SOCK_DGRAM, IPPROTO_UDP, &inner))
		return NULL;
	inner->sk->sk_bound_dev_if = SHIM_NOWHERE;
	/* A flow may hand it a packet while it is being closed. */
	sock_set_flag(inner->sk, SOCK_RCU_FREE);
	shim_set_wait_queue(inner->sk, &sock->wq);
	return inner;
}

/* Begins to carry datagrams for @outer, in whose receive queue the peer is known as @peer. */
void shim_dgram_open(struct shim_flow *flow, struct sock *outer, u64 remote_id, const struct shim_path *path, u32 peer)
{
	flow->remote_id = remote_id;
	flow->peer = peer;
	shim_dgram_set_path(flow, path);
	rcu_assign_pointer(flow->receiver, shim_sock(outer)->inner->sk);
}

void shim_dgram_set_path(struct shim_flow *flow, const struct shim_path *path)
{
	struct dst_entry *old;

	spin_lock_bh(&flow->lock);
	flow->path = *path;
	old = flow->dst;
	flow->dst = NULL;
	spin_unlock_bh(&flow->lock);
	dst_release(old);
}

/* Hands no more datagrams to the socket, which is going away. */
void shim_dgram_detach(struct shim_flow *flow)
{
	rcu_assign_pointer(flow->receiver, NULL);
}

/* Ends sending for good, and drops what waits; returns how many datagrams that were. */
u32 shim_dgram_close(struct shim_flow *flow)
{
	struct sk_buff_head dropped;
	u32 n;

	__skb_queue_head_init(&dropped);
	spin_lock_bh(&flow->lock);
	flow->closed = true;
	flow->path.usable = 0;
	n = skb_queue_len(&flow->waiting);
	skb_queue_splice_init(&flow->waiting, &dropped);
	spin_unlock_bh(&flow->lock);
	__skb_queue_purge(&dropped);
	return n;
}

bool shim_dgram_closed(const struct shim_flow *flow)
{
	return READ_ONCE(flow->closed);
}

/* Lets go of what sending needs, when nobody sends any more. */
void shim_dgram_release(struct shim_flow *flow)
{
	static const struct shim_path none;

	shim_dgram_set_path(flow, &none);
}

static u32 shim_dgram_room(const struct shim_path *path, const struct dst_entry *dst)
{
	u32 mtu = min_t(u32, dst_mtu(dst), IP_MAX_MTU);
	u32 headers = sizeof(struct iphdr) + shim_overhead(path) + sizeof(struct udphdr);

	return mtu > headers ? mtu - headers : 0;
}

/* The route of the flow's path. Called with the lock held. */
static struct dst_entry *shim_dgram_route(struct shim_flow *flow, struct sock *sk)
{
	struct dst_entry *dst = flow->dst;

	if (!dst || !dst_check(dst, flow->cookie)) {
		flow->dst = NULL;
		dst_release(dst);
		dst = shim_route(sock_net(sk), sk, &flow->path, &flow->cookie, NULL);
		if (IS_ERR(dst))
			return dst;
		flow->dst = dst;
	}
	/* The link may have changed without the route. */
	WRITE_ONCE(flow->mtu, dst_mtu(dst));
	flow->room = shim_dgram_room(&flow->path, dst);
	return shim_net_carries(sock_net(sk), dst) ? dst : ERR_PTR(-ENETDOWN);
}

/*
 * Where a datagram leaves by, with a route that the caller gives back by sending
 * it: 0; -EAGAIN while there is no path; -ESHUTDOWN when the flow is closed; else
 * why there is no route. way->room is the largest datagram as far as it is known.
 */
int shim_dgram_way(struct shim_flow *flow, struct sock *outer, struct shim_way *way)
{
	struct dst_entry *dst;
	int err = 0;

	memset(way, 0, sizeof(*way));
	spin_lock_bh(&flow->lock);
	if (flow->closed)
		err = -ESHUTDOWN;
	else if (!flow->path.usable)
		err = -EAGAIN;
	if (!err) {
		dst = shim_dgram_route(flow, shim_sock(outer)->inner->sk);
		err = PTR_ERR_OR_ZERO(dst);
	}
	if (!err) {
		dst_hold(dst);
		way->dst = dst;
		way->path = flow->path;
	}
	way->room = flow->room;
	spin_unlock_bh(&flow->lock);
	return err;
}

void shim_dgram_way_put(struct shim_way *way)
{
	dst_release(way->dst);
}

/* Copies a datagram from the caller of sendmsg(). Sleeps while the send buffer is full. */
struct sk_buff *shim_dgram_copy(struct sock *outer, struct msghdr *m, u32 len, bool nonblock, int *err)
{
	struct sock *sk = shim_sock(outer)->inner->sk;
	u32 paged = len > SKB_MAX_ALLOC ? min_t(u32, PAGE_ALIGN(len - SKB_MAX_ALLOC), len) : 0;
	struct sk_buff *skb;

	skb = sock_alloc_send_pskb(sk, SHIM_DGRAM_HEADROOM + len - paged, paged, nonblock, err, PAGE_ALLOC_COSTLY_ORDER);
	if (!skb)
		return NULL;
	skb_reserve(skb, SHIM_DGRAM_HEADROOM);
	skb_put(skb, len - paged);
	skb->data_len = paged;
	skb->len = len;
	*err = skb_copy_datagram_from_iter(skb, 0, &m->msg_iter, len);
	if (*err) {
		kfree_skb(skb);
		return NULL;
	}
	return skb;
}

/*
 * Lets a datagram wait for a path, or when @no_route for a route of the path: 1 if
 * it is the first to wait, 0 if not; else the datagram stays the caller's, -EAGAIN
 * when there is a path now, -ENOBUFS when @limit datagrams wait already, -ESHUTDOWN
 * when the flow is closed.
 */
int shim_dgram_wait(struct shim_flow *flow, struct sk_buff *skb, u32 limit, bool no_route)
{
	int err = 0;

	spin_lock_bh(&flow->lock);
	if (flow->closed)
		err = -ESHUTDOWN;
	else if (flow->path.usable && !no_route)
		err = -EAGAIN;
	else if (limit && skb_queue_len(&flow->waiting) >= limit)
		err = -ENOBUFS;
	else {
		err = skb_queue_empty(&flow->waiting);
		__skb_queue_tail(&flow->waiting, skb);
	}
	spin_unlock_bh(&flow->lock);
	return err;
}

/* The next datagram that waits, once there is a path. */
struct sk_buff *shim_dgram_next(struct shim_flow *flow)
{
	struct sk_buff *skb;

	spin_lock_bh(&flow->lock);
	skb = flow->path.usable ? __skb_dequeue(&flow->waiting) : NULL;
	spin_unlock_bh(&flow->lock);
	return skb;
}

bool shim_dgram_waiting(const struct shim_flow *flow)
{
	return !skb_queue_empty_lockless(&flow->waiting);
}

/* Puts the UDP header before a datagram. The sum is left to the device, or to the last moment. */
void shim_dgram_push(struct sk_buff *skb, const struct shim_flow *flow)
{
	struct udphdr *uh = skb_push(skb, sizeof(*uh));

	skb_reset_transport_header(skb);
	uh->source = htons(shim_virtual_port(flow->local_id));
	uh->dest = htons(shim_virtual_port(flow->remote_id));
	uh->len = htons(skb->len);
	uh->check = ~csum_tcpudp_magic(shim_virtual_addr(flow->local_id), shim_virtual_addr(flow->remote_id), skb->len,
				       IPPROTO_UDP, 0);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct udphdr, check);
}

/* Sends a datagram behind its ECCP header. Consumes the datagram and the way. */
int shim_dgram_send(struct sk_buff *skb, struct shim_flow *flow, struct shim_way *way)
{
	u32 len = skb->len - SHIM_HEADER_LEN - sizeof(struct udphdr);
	int err = shim_tx_along(skb->sk, skb, &way->path, way->dst, (u32)way->path.receiver);

	dst_release(way->dst);
	if (!err) {
		spin_lock_bh(&flow->lock);
		flow->tx_packets++;
		flow->tx_bytes += len;
		spin_unlock_bh(&flow->lock);
		shim_watch_begin(flow);
	}
	return err;
}

/* Whether a packet that is unwrapped is a datagram of the flow. */
static bool shim_dgram_fits(const struct sk_buff *skb, const struct shim_flow *flow)
{
	const struct udphdr *uh = udp_hdr(skb);

	return ntohs(uh->len) == skb->len && uh->source == htons(shim_virtual_port(flow->remote_id)) &&
	       uh->dest == htons(shim_virtual_port(flow->local_id));
}

/* Hands a packet, ECCP header first, to the socket: SHIM_DGRAM_*. Consumes it. */
u32 shim_dgram_deliver(struct sk_buff *skb, struct shim_flow *flow, u32 kind)
{
	struct shim_net *sn = net_generic(dev_net(skb->dev), shim_net_id);
	struct sock *sk = rcu_dereference(flow->receiver);
	u32 outcome = SHIM_DGRAM_MALFORMED;
	u32 charged;

	if (skb_is_gso(skb) || !pskb_may_pull(skb, SHIM_HEADER_LEN + sizeof(struct udphdr)))
		goto drop;
	shim_rx_look_at_source(skb, flow, kind);
	if (!shim_rx_unwrap(skb, flow, kind, IPPROTO_UDP)) {
		outcome = SHIM_DGRAM_FULL;
		goto drop;
	}
	if (!shim_dgram_fits(skb, flow))
		goto drop;
	outcome = SHIM_DGRAM_CHECKSUM;
	if (skb_checksum_validate(skb, IPPROTO_UDP, inet_compute_pseudo))
		goto drop;
	outcome = SHIM_DGRAM_FULL;
	if (!sk || !refcount_inc_not_zero(&sk->sk_refcnt))
		goto drop;
	flow->rx_packets++;
	flow->rx_bytes += skb->len - sizeof(struct udphdr);
	/* From here on the source address is the peer's number at the socket. */
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->csum_level = 0;
	ip_hdr(skb)->saddr = htonl(flow->peer);
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, &sn->inside->dst);
	skb_orphan(skb);
	skb->sk = sk;
	skb->destructor = sock_edemux;
	charged = atomic_read(&sk->sk_rmem_alloc);
	if (!charged || charged + skb->truesize <= READ_ONCE(sk->sk_rcvbuf))
		outcome = SHIM_DGRAM_DELIVERED;
	/* UDP sees for itself that its buffer is full, and reports it to SO_RXQ_OVFL. */
	rcu_dereference(inet_protos[IPPROTO_UDP])->handler(skb);
	return outcome;
drop:
	kfree_skb(skb);
	return outcome;
}

/* Packets that came before the flow was open come again. */
void shim_dgram_release_held(struct shim_flow *flow, struct net *net)
{
	struct sk_buff *skb;

	local_bh_disable();
	rcu_read_lock();
	while ((skb = skb_dequeue(&flow->held))) {
		u32 kind = ((struct shim_skb_mark *)skb->cb)->kind;

		/* The device may have gone while the packet waited. */
		skb->dev = dev_get_by_index_rcu(net, skb->skb_iif) ?: net->loopback_dev;
		eccp_rust_rx(skb, kind);
	}
	rcu_read_unlock();
	local_bh_enable();
}

void shim_dgram_stats(struct shim_flow *flow, struct shim_flow_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->rx_packets = READ_ONCE(flow->rx_packets);
	stats->rx_bytes = READ_ONCE(flow->rx_bytes);
	stats->tx_packets = READ_ONCE(flow->tx_packets);
	stats->tx_bytes = READ_ONCE(flow->tx_bytes);
	stats->mtu = READ_ONCE(flow->mtu);
}

/* ---- the socket ---- */

bool shim_sk_is_dgram(const struct sock *sk)
{
	return sk->sk_type == SOCK_DGRAM;
}

/* The connection is over: who waits returns, and what was received can still be read. */
void shim_dgram_set_ended(struct sock *outer, int err)
{
	struct sock *sk = shim_sock(outer)->inner->sk;

	WRITE_ONCE(shim_sock(outer)->ended, err);
	WRITE_ONCE(sk->sk_shutdown, err ? SHUTDOWN_MASK : 0);
	shim_sk_wake(outer);
}

static int shim_dgram_sendmsg(struct socket *sock, struct msghdr *m, size_t len)
{
	bool nonblock = m->msg_flags & MSG_DONTWAIT;
	int err = shim_await(sock, nonblock);

	if (err)
		return err;
	if (m->msg_flags & (MSG_OOB | MSG_MORE | MSG_FASTOPEN))
		return -EOPNOTSUPP;
	if (m->msg_controllen)
		return -EINVAL;
	if (len > U16_MAX)
		return -EMSGSIZE;
	err = READ_ONCE(shim_sock(sock->sk)->ended);
	if (err)
		return -err;
	return eccp_rust_dgram_send(sock->sk, m, len, m->msg_name, m->msg_namelen, nonblock);
}

static int shim_dgram_recvmsg(struct socket *sock, struct msghdr *m, size_t len, int flags)
{
	struct shim_sock *s = shim_sock(sock->sk);
	struct sockaddr_in from = {};
	void *name = m->msg_name;
	int ret;
	bool got;

	if (flags & MSG_ERRQUEUE)
		return shim_recv_event(sock, m);
	ret = shim_await(sock, flags & MSG_DONTWAIT);
	if (ret)
		return ret;
	m->msg_name = &from;
	m->msg_namelen = 0;
	ret = s->inner->ops->recvmsg(s->inner, m, len, flags);
	got = m->msg_namelen;
	m->msg_name = name;
	m->msg_namelen = 0;
	if (got) {
		if (name)
			m->msg_namelen = eccp_rust_dgram_name(sock->sk, ntohl(from.sin_addr.s_addr), name);
		return ret;
	}
	/* Nothing is left in the queue. */
	if ((ret == 0 || ret == -EAGAIN) && READ_ONCE(s->inner->sk->sk_shutdown) & RCV_SHUTDOWN)
		return -READ_ONCE(s->ended);
	return ret;
}

static int shim_dgram_shutdown(struct socket *sock, int how)
{
	struct sock *sk = shim_sock(sock->sk)->inner->sk;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (sock->state != SS_CONNECTED)
		return -ENOTCONN;
	lock_sock(sk);
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | (how + 1));
	release_sock(sk);
	shim_sk_wake(sock->sk);
	return 0;
}

const struct proto_ops shim_dgram_ops = {
	.family = PF_ECCP,
	.owner = THIS_MODULE,
	.release = shim_release,
	.bind = shim_bind,
	.connect = shim_connect,
	.socketpair = sock_no_socketpair,
	.accept = sock_no_accept,
	.getname = shim_getname,
	.poll = shim_poll,
	.ioctl = shim_ioctl,
	.gettstamp = shim_gettstamp,
	.listen = sock_no_listen,
	.shutdown = shim_dgram_shutdown,
	.setsockopt = shim_setsockopt,
	.getsockopt = shim_getsockopt,
	.sendmsg = shim_dgram_sendmsg,
	.recvmsg = shim_dgram_recvmsg,
	.mmap = sock_no_mmap,
	.set_peek_off = shim_set_peek_off,
};
