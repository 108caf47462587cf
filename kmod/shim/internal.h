/* SPDX-License-Identifier: GPL-2.0 */
/* What the C files of the shim share among themselves. */
#ifndef ECCP_SHIM_INTERNAL_H
#define ECCP_SHIM_INTERNAL_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <net/inet_connection_sock.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netns/generic.h>
#include <net/protocol.h>
#include <net/route.h>
#include <net/tcp.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#include "shim.h"

/*
 * An interface index that no packet from the wire can carry: inner TCP
 * endpoints are bound to it, so only this module can reach them.
 */
#define SHIM_NOWHERE 0x7ffffff0

/* The part of a flow that packets touch. Path: under the inner socket's lock. */
struct shim_flow {
	struct inet_connection_sock_af_ops ops;
	const struct inet_connection_sock_af_ops *orig;
	struct socket *inner;
	struct sock *outer; /* the AF_ECCP socket; under the inner socket's lock */
	void *owner;
	void (*state_change)(struct sock *sk);
	void (*error_report)(struct sock *sk);
	struct shim_path path;
	u64 local_id;
	u64 remote_id;
	u32 cookie;
	__wsum pseudo;
	struct sk_buff_head held;
	u32 restart_cwnd; /* window with which what was outstanding on the last path is sent again; 0: as it is */
	bool searching;	       /* TCP looks for a larger packet size, which was lowered */
	unsigned long lowered; /* since when it is lowered and not looked for; 0: it is not */
	u64 rx_packets, rx_bytes, tx_packets, tx_bytes;
	/* watch.c: what TCP had delivered when it last sent, and since when it had. */
	u32 delivered;
	unsigned long delivered_at;
	bool watched;
	/* Of datagrams only. Path, route and what waits for a path: under the lock. */
	spinlock_t lock;
	struct dst_entry *dst;
	struct sk_buff_head waiting;
	struct sock __rcu *receiver; /* a UDP socket */
	u32 peer;		     /* number of the peer at its socket */
	u32 room;		     /* largest datagram */
	u32 mtu;
	bool closed;
	/* rx.c: data from elsewhere than the path's far end; under @held's lock. */
	struct shim_origin stray;
	u64 stray_receiver;
	u32 stray_len;
	unsigned long stray_at;
	u16 mss_clamp; /* as the ends agreed */
	/* bundle.c: the bundle that the endpoint is a member of, and what its calls were before. */
	void *bundle;
	void (*alone_data_ready)(struct sock *sk);
	void (*alone_write_space)(struct sock *sk);
	void (*alone_state_change)(struct sock *sk);
};

struct shim_net {
	struct net *net;
	void *state;   /* Rust's; NULL while the namespace goes */
	void *leaving; /* the same, then */
	struct rtable *inside; /* what an unwrapped packet is routed by */
	struct socket *udp4, *udp6;
	struct sk_buff_head queues[SHIM_QUEUES];
	struct work_struct control_work, address_work;
	u16 router_port; /* router.c: UDP port of ECCP; 0: not hooked in */
};

/* An AF_ECCP socket. */
struct shim_sock {
	struct sock sk;
	struct socket *inner; /* the TCP endpoint, set at creation or accept; of datagrams: the UDP socket */
	void *state;	      /* Rust's */
	bool lent; /* a connection owns the endpoint */
	bool connecting;
	bool listening;
	int ended; /* errno by which the connection of a datagram socket ended */
	bool event_waiting; /* an event of the paths can be read */
	bool bundled; /* its stream takes several endpoints */
};

struct shim_skb_mark {
	u32 kind;
};

static inline struct shim_flow *shim_flow_of(const struct sock *sk)
{
	return container_of(inet_csk(sk)->icsk_af_ops, struct shim_flow, ops);
}

static inline struct shim_sock *shim_sock(const struct sock *sk)
{
	return (struct shim_sock *)sk;
}

/* The virtual address and port that stand for a flow ID inside TCP. */
static inline __be32 shim_virtual_addr(u64 id)
{
	return htonl(0xf0000000 | ((u32)id & 0x0fffffff));
}

/*
 * A router takes what follows the IP header of a GSO packet for TCP, and drops the packet when
 * the data offset that it reads there is too small. It reads the first half byte of this port;
 * 8 stands for the 32 bytes that the TCP header has indeed.
 */
static inline u16 shim_virtual_port(u64 id)
{
	return ((u32)(id >> 28) & 0x0fff) | 0x8000;
}

static inline u32 shim_overhead(const struct shim_path *path)
{
	return SHIM_HEADER_LEN + (path->udp ? sizeof(struct udphdr) : 0) +
	       (path->v6 ? sizeof(struct ipv6hdr) - sizeof(struct iphdr) : 0);
}

static inline __be32 shim_v4(const u8 *mapped)
{
	return get_unaligned((const __be32 *)(mapped + 12));
}

extern unsigned int shim_net_id;
extern struct workqueue_struct *shim_wq;
int shim_udp_rcv(struct sock *sk, struct sk_buff *skb);
struct sk_buff *shim_udp_gro_receive(struct sock *sk, struct list_head *head, struct sk_buff *skb);
int shim_udp_gro_complete(struct sock *sk, struct sk_buff *skb, int offset);
void shim_tcp_resend(struct sock *sk);
void shim_path_begin(struct sock *sk, struct shim_flow *flow, const struct shim_start *start);
u32 shim_path_mtu(const struct sock *sk, const struct shim_flow *flow);
void shim_watch_begin(struct shim_flow *flow);
void shim_watch_sent(struct sock *sk, struct shim_flow *flow);
void shim_flow_apply_route(struct sock *sk, struct shim_flow *flow, struct dst_entry *dst);
void shim_set_wait_queue(struct sock *sk, struct socket_wq *wq);
int shim_tx_along(struct sock *sk, struct sk_buff *skb, const struct shim_path *path, struct dst_entry *dst, u32 hash);

/* What sockets of both types have in common. */
int shim_release(struct socket *sock);
int shim_bind(struct socket *sock, struct sockaddr_unsized *addr, int len);
int shim_connect(struct socket *sock, struct sockaddr_unsized *addr, int len, int flags);
int shim_getname(struct socket *sock, struct sockaddr *addr, int peer);
__poll_t shim_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait);
int shim_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg);
int shim_gettstamp(struct socket *sock, void __user *stamp, bool timeval, bool time32);
int shim_setsockopt(struct socket *sock, int level, int name, sockptr_t val, unsigned int len);
int shim_getsockopt(struct socket *sock, int level, int name, char __user *val, int __user *lenp);
int shim_set_peek_off(struct sock *sk, int val);
int shim_await(struct socket *sock, bool nonblock);
int shim_recv_event(struct socket *sock, struct msghdr *m);
void shim_rx_look_at_source(const struct sk_buff *skb, struct shim_flow *flow, u32 kind);
int shim_stream_sendmsg(struct socket *sock, struct msghdr *m, size_t len);
int shim_stream_recvmsg(struct socket *sock, struct msghdr *m, size_t len, int flags);
int shim_stream_shutdown(struct socket *sock, int how);
int shim_listen(struct socket *sock, int backlog);
int shim_accept(struct socket *sock, struct socket *newsock, struct proto_accept_arg *arg);
bool shim_rx_unwrap(struct sk_buff *skb, const struct shim_flow *flow, u32 kind, u8 protocol);
extern const struct proto_ops shim_dgram_ops;
extern const struct proto_ops shim_bundle_ops;

int shim_sk_wait_until(struct sock *sk, bool (*ready)(struct sock *sk), long *timeout);
bool shim_net_carries(struct net *net, const struct dst_entry *dst);
struct dst_entry *shim_route(struct net *net, struct sock *sk, const struct shim_path *path, u32 *cookie,
			     struct shim_path *chosen);

#endif
