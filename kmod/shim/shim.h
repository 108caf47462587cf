/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What Rust may call in C, and what C calls in Rust.
 *
 * The C side holds operation tables, inlines and macros, and the fields of
 * struct tcp_sock. Every decision and all protocol state are in Rust. Objects
 * declared here without a body belong to C alone; Rust keeps pointers to them.
 */
#ifndef ECCP_SHIM_H
#define ECCP_SHIM_H

#include <linux/in6.h>
#include <linux/net.h>
#include <linux/skbuff.h>
#include <linux/types.h>
#include <net/sock.h>
#include <uapi/linux/eccp_socket.h>

#define SHIM_HEADER_LEN 12 /* of a data packet, docs/wire.md */
#define SHIM_KIND_V6 1	   /* the packet came over IPv6 */
#define SHIM_KIND_UDP 2	   /* the packet came inside UDP */
#define SHIM_KIND_ROUTER 4 /* the packet was passing through */
#define SHIM_MAX_OPTION 1024 /* bytes that getsockopt() at level SOL_ECCP writes at most */

/* What a router does with a packet. */
#define SHIM_ROUTER_PASSES 0
#define SHIM_ROUTER_SENDS_ON 1
#define SHIM_ROUTER_TAKES 2

/* What became of a received datagram. */
#define SHIM_DGRAM_DELIVERED 0
#define SHIM_DGRAM_MALFORMED 1
#define SHIM_DGRAM_CHECKSUM 2
#define SHIM_DGRAM_FULL 3 /* the socket takes no more */
/* Queues of control packets; a lower one is served first. */
#define SHIM_QUEUE_KNOWN 0   /* packets of known flows */
#define SHIM_QUEUE_PROVEN 1  /* first SYNs whose source is proven */
#define SHIM_QUEUE_OPENING 2 /* other first SYNs, and what strangers send */
#define SHIM_QUEUES 3

struct shim_flow;
struct shim_net;
struct shim_work;

/* One way to the peer. Addresses are IPv6 or IPv4-mapped. */
struct shim_path {
	u8 local[16];
	u8 remote[16];
	u16 local_port;	 /* UDP, host order; 0: native */
	u16 remote_port;
	u32 ifindex;	 /* 0: as routing says */
	u8 v6;
	u8 udp;
	u8 usable;
	u8 foreign; /* the local address is not one of this host */
	u64 receiver;	 /* the peer's flow ID, for the header of data */
};

/* Where a received packet came from. */
struct shim_origin {
	u8 local[16];
	u8 remote[16];
	u16 local_port;
	u16 remote_port;
	u32 ifindex;
	u8 v6;
	u8 udp;
	u8 pad[2];
};

/* What one end tells the other about its TCP endpoint at set-up. */
struct shim_transport {
	u32 isn;
	u32 window;
	u16 mtu;
	u8 wscale;
	u8 ecn; /* wants ECN if it connects, takes it if it is connected to */
	u8 several; /* 1: the stream may be part of a bundle */
	u8 pad[3];
};

/* What is left of a TCP endpoint that has closed. */
struct shim_tail {
	u32 seq;
	u32 ack;
	u32 tsval;
	u32 tsecr;
	u16 window;
	u16 error; /* errno that TCP ended with, or 0 */
};

/* The numbers that a person asks of a flow. */
struct shim_flow_stats {
	u64 rx_packets, rx_bytes, tx_packets, tx_bytes;
	u32 srtt_us;
	u32 cwnd;
	u32 mss;
	u32 mtu;
	u32 ssthresh;
	u8 tcp_state;
	u8 pad[3];
};

/* What TCP has learnt of a path, in its own units. */
struct shim_learnt {
	u32 cwnd, ssthresh, srtt_us, mdev_us, mdev_max_us, rttvar_us;
	u16 segment; /* with plain headers */
	u16 agreed;  /* by the ends */
	bool repairing;
	u8 pad[3];
};

/* What TCP begins a path with. */
struct shim_start {
	struct shim_learnt learnt;
	u32 again_cwnd, again_ssthresh; /* if anything is under way, which is sent again */
	bool lowered;			/* the segment is smaller than agreed */
	u8 pad[3];
};

/* Packet sizes of a path. Segments: with plain headers. */
struct shim_sizes {
	u32 packet; /* with all headers; 0: not measured */
	u32 route;  /* what it carries; 0: not known */
	u16 segment, agreed;
	bool v6;
	u8 pad[3];
};

/* How TCP gets on with what it has sent. */
struct shim_watch {
	u64 rx_packets;
	u32 unacknowledged_us; /* since anything was acknowledged */
	u32 silent_us;	       /* since data came */
	u32 srtt_us;
	u32 lowered_ms; /* since packets were made smaller because large ones vanish; 0: they were not */
	bool outstanding;
	u8 pad[7];
};

/* Where a datagram leaves by. */
struct shim_way {
	struct shim_path path;
	struct dst_entry *dst;
	u32 room; /* largest datagram in bytes, 0: not known */
	u32 pad;
};

struct shim_address {
	u8 addr[16];
	u32 ifindex;
	u8 v6;
	u8 local_scope; /* loopback or link-local: never told to a peer */
	u8 pad[2];
	u8 name[16];	/* of the interface */
};

/* The numbers that the module was loaded with. */
extern int shim_family;
extern int shim_protocol;
extern int shim_table_bits;

/* ---- implemented in Rust ---- */
int eccp_rust_rx(struct sk_buff *skb, u32 kind);
int eccp_rust_xmit(struct sock *sk, struct sk_buff *skb, struct shim_flow *flow, void *owner);
bool eccp_rust_pseudo(const u8 *header, __wsum *sum);
void eccp_rust_icmp(struct net *net, const u8 *header, struct sk_buff *skb, u32 mtu, u32 kind);
void eccp_rust_inner_closed(void *owner);
void eccp_rust_watch(void *owner);
void eccp_rust_stray(void *owner);
void eccp_rust_work(void *owner, u32 what);
int eccp_rust_net_init(struct shim_net *sn);
void eccp_rust_net_exit(void *state);
void eccp_rust_addresses_changed(struct shim_net *sn);
int eccp_rust_create(struct sock *sk);
void eccp_rust_release(struct sock *sk);
int eccp_rust_bind(struct sock *sk, const u8 *addr, int len);
u32 eccp_rust_router(struct sk_buff *skb, u32 kind, u8 *to);
int eccp_rust_connect(struct sock *sk, struct socket *sock, const u8 *addr, int len, bool nonblock);
int eccp_rust_listen(struct sock *sk, struct socket *sock, int backlog);
int eccp_rust_accept(struct sock *sk, struct socket *sock, struct sock *child, struct socket *newsock, bool nonblock);
int eccp_rust_getname(struct sock *sk, u8 *addr, int peer);
u32 eccp_rust_poll(struct sock *sk);
int eccp_rust_wait_connected(struct sock *sk, bool nonblock);
bool eccp_rust_ready(struct sock *sk);
int eccp_rust_next_event(struct sock *sk, struct eccp_path_event *event);
int eccp_rust_setsockopt(struct sock *sk, int opt, const u8 *val, u32 len);
int eccp_rust_getsockopt(struct sock *sk, int opt, u8 *val, u32 len);

void eccp_rust_member_ready(void *bundle);
int eccp_rust_bundle_send(struct sock *sk, struct msghdr *m, u32 len, bool nonblock);
int eccp_rust_bundle_receive(struct sock *sk, struct msghdr *m, u32 len, bool nonblock, bool peek, bool all);
u32 eccp_rust_bundle_poll(struct sock *sk);
bool eccp_rust_bundle_is_ready(struct sock *sk, bool receive);
int eccp_rust_bundle_shutdown(struct sock *sk, int how);
u32 eccp_rust_bundle_queued(struct sock *sk, u32 what);
int eccp_rust_dgram_send(struct sock *sk, struct msghdr *m, u32 len, const u8 *name, int name_len, bool nonblock);
int eccp_rust_dgram_name(struct sock *sk, u32 peer, u8 *name);

/* ---- skb.c ---- */
u8 *shim_skb_pull(struct sk_buff *skb, u32 len);
u32 shim_skb_len(const struct sk_buff *skb);
bool shim_skb_is_host(const struct sk_buff *skb);
int shim_skb_copy(const struct sk_buff *skb, u8 *to, u32 len);
void shim_skb_drop(struct sk_buff *skb);
struct net *shim_skb_net(const struct sk_buff *skb);
void shim_skb_origin(const struct sk_buff *skb, u32 kind, struct shim_origin *origin);
u8 *shim_skb_push_header(struct sk_buff *skb);
u32 shim_skb_tcp_flags(const struct sk_buff *skb, u32 *end_seq, u32 *tsval);

/* ---- rx.c, tx.c, offload.c ---- */
int shim_rx_register(void);
void shim_rx_unregister(void);
int shim_rx_deliver(struct sk_buff *skb, struct shim_flow *flow, u32 kind);
bool shim_rx_take_stray(struct shim_flow *flow, struct shim_origin *origin, u64 *receiver, u32 *len);
bool shim_rx_hold(struct sk_buff *skb, struct shim_flow *flow, u32 kind, u32 limit);
void shim_rx_release_held(struct shim_flow *flow);
int shim_tx_route(struct sock *sk, struct shim_flow *flow);
bool shim_tx_usable(const struct shim_flow *flow);
int shim_tx_send(struct sock *sk, struct sk_buff *skb, struct shim_flow *flow);
int shim_tx_control(struct net *net, const struct shim_path *path, const u8 *packet, u32 len, bool atomic);
int shim_tx_tail_ack(struct net *net, const struct shim_path *path, struct shim_flow *flow, const struct shim_tail *tail,
		     u32 tsecr);
int shim_tx_source(struct net *net, struct shim_path *path);
void shim_pmtu(struct net *net, struct sk_buff *skb, u32 mtu, u32 kind);
int shim_offload_register(void);
void shim_offload_unregister(void);

/* ---- tcp.c: the inner TCP endpoint of a flow ---- */
struct shim_flow *shim_flow_new(u64 local_id);
void shim_flow_own(struct shim_flow *flow, void *owner);
void shim_flow_free(struct shim_flow *flow);
u32 shim_flow_pseudo(const struct shim_flow *flow);
u64 shim_tx_receiver(const struct shim_flow *flow);
u32 shim_skb_segments(const struct sk_buff *skb);
void shim_flow_stats(struct shim_flow *flow, struct shim_flow_stats *stats, bool adopted);
struct socket *shim_tcp_new(struct net *net);
struct socket *shim_tcp_socket(const struct shim_flow *flow);
void shim_tcp_inherit(struct socket *inner, struct socket *from);
void shim_tcp_offer(struct socket *inner, u32 mtu, bool connects, struct shim_transport *offer);
int shim_tcp_adopt(struct shim_flow *flow, struct socket *inner, u64 remote_id, const struct shim_path *path,
		   const struct shim_transport *local, const struct shim_transport *remote);
void shim_tcp_set_path(struct shim_flow *flow, const struct shim_path *path, const struct shim_start *start);
void shim_flow_set_receiver(struct shim_flow *flow, u64 receiver, bool datagrams);
void shim_tcp_detach_user(struct shim_flow *flow);
void shim_tcp_attach_user(struct shim_flow *flow, struct sock *outer);
void shim_tcp_shutdown(struct shim_flow *flow);
void shim_tcp_abort(struct shim_flow *flow, int err);
bool shim_tcp_closed(struct shim_flow *flow);
bool shim_tcp_unread(struct shim_flow *flow);
void shim_tcp_tail(struct shim_flow *flow, struct shim_tail *tail);
bool shim_tcp_flushed(struct shim_flow *flow);
u32 shim_tcp_user_timeout(const struct socket *inner);
bool shim_tcp_half_closed(struct shim_flow *flow);
void shim_tcp_release(struct shim_flow *flow);
void shim_tcp_drop(struct socket *inner);

/* ---- watch.c: whether what TCP sends arrives ---- */
void shim_watch_look(struct shim_flow *flow, struct shim_watch *watch);
void shim_watch_end(struct shim_flow *flow);
void shim_watch_resend(struct shim_flow *flow);

/* ---- path_state.c: what TCP has learnt of a path ---- */
void shim_path_learnt(struct shim_flow *flow, struct shim_learnt *learnt);
void shim_path_sizes(struct shim_flow *flow, struct shim_sizes *sizes);
void shim_path_limit(struct shim_flow *flow, u16 segment);
void shim_path_search(struct shim_flow *flow, u32 low, u32 high);
void shim_path_settle(struct shim_flow *flow);

/* ---- datagram.c: flows that carry datagrams, and their sockets ---- */
struct socket *shim_dgram_new(struct net *net, struct socket *sock);
void shim_dgram_open(struct shim_flow *flow, struct sock *outer, u64 remote_id, const struct shim_path *path, u32 peer);
void shim_dgram_set_path(struct shim_flow *flow, const struct shim_path *path);
void shim_dgram_detach(struct shim_flow *flow);
u32 shim_dgram_close(struct shim_flow *flow);
bool shim_dgram_closed(const struct shim_flow *flow);
void shim_dgram_release(struct shim_flow *flow);
int shim_dgram_way(struct shim_flow *flow, struct sock *outer, struct shim_way *way);
void shim_dgram_way_put(struct shim_way *way);
struct sk_buff *shim_dgram_copy(struct sock *outer, struct msghdr *m, u32 len, bool nonblock, int *err);
int shim_dgram_wait(struct shim_flow *flow, struct sk_buff *skb, u32 limit, bool no_route);
struct sk_buff *shim_dgram_next(struct shim_flow *flow);
bool shim_dgram_waiting(const struct shim_flow *flow);
void shim_dgram_push(struct sk_buff *skb, const struct shim_flow *flow);
int shim_dgram_send(struct sk_buff *skb, struct shim_flow *flow, struct shim_way *way);
u32 shim_dgram_deliver(struct sk_buff *skb, struct shim_flow *flow, u32 kind);
void shim_dgram_release_held(struct shim_flow *flow, struct net *net);
void shim_dgram_stats(struct shim_flow *flow, struct shim_flow_stats *stats);
bool shim_sk_is_dgram(const struct sock *sk);
void shim_dgram_set_ended(struct sock *outer, int err);

/* ---- bundle.c: endpoints and sockets of a stream that takes several ---- */
#define SHIM_QUEUED_READABLE 0 /* bytes for the user */
#define SHIM_QUEUED_KEPT 1     /* bytes that are not acknowledged */
#define SHIM_QUEUED_UNSENT 2   /* those of them that no member has */
void shim_member_join(struct shim_flow *flow, void *bundle);
void shim_member_leave(struct shim_flow *flow);
int shim_member_receive(struct shim_flow *flow, u8 *to, u32 len);
struct shim_slice;
int shim_member_send(struct shim_flow *flow, const struct shim_slice *parts, size_t n);
bool shim_member_room(struct shim_flow *flow, u32 *rtt_us);
void shim_member_shutdown(struct shim_flow *flow);
int shim_msg_get(struct msghdr *m, u8 *to, u32 len);
u32 shim_msg_put(struct msghdr *m, const u8 *from, u32 len);
int shim_bundle_wait(struct sock *sk, bool receive, long *timeout);
u32 shim_bundle_buffer(struct sock *sk, bool receive);
void shim_sk_set_bundled(struct sock *sk);

/* ---- family.c: AF_ECCP ---- */
int shim_family_register(void);
void shim_family_unregister(void);
void *shim_sk_state(struct sock *sk);
void shim_sk_set_state(struct sock *sk, void *state);
struct socket *shim_sk_inner(struct sock *sk);
void shim_sk_set_inner(struct sock *sk, struct socket *inner);
struct socket *shim_sk_take_inner(struct sock *sk);
void shim_sk_give_inner(struct sock *sk);
void shim_sk_set_connecting(struct sock *sk, bool connecting);
bool shim_sk_is_connecting(struct sock *sk);
void shim_sk_set_listening(struct sock *sk, bool listening);
void shim_sk_error(struct sock *sk, int err);
int shim_sk_take_error(struct sock *sk);
void shim_sk_wake(struct sock *sk);
void shim_sk_set_event(struct sock *sk, bool waiting);
void shim_sk_hold(struct sock *sk);
void shim_sk_put(struct sock *sk);
struct net *shim_sk_net(struct sock *sk);
u32 shim_sk_bound_dev(struct sock *sk);
long shim_sk_timeout(struct sock *sk, bool nonblock, bool receive);
int shim_sk_wait(struct sock *sk, long *timeout);
int shim_sk_linger(struct sock *sk, long *timeout);
u32 shim_sk_uid(struct sock *sk);
bool shim_may_bind_port(struct net *net, u16 port);
int shim_socket_state(struct socket *sock);
void shim_socket_set_state(struct socket *sock, int state);

/* ---- netns.c ---- */
int shim_net_register(void);
void shim_net_unregister(void);
void *shim_net_state(struct net *net);
void shim_net_set_state(struct shim_net *sn, void *state);
struct net *shim_net_of(struct shim_net *sn);
int shim_net_open_udp(struct net *net, u16 port);
void shim_net_close_udp(struct net *net);
bool shim_net_queue_control(struct net *net, struct sk_buff *skb, u32 kind, u32 place, u32 limit);
u32 shim_net_waiting_syns(struct net *net);
struct sk_buff *shim_net_next_control(struct shim_net *sn, u32 *kind);
void shim_net_kick(struct net *net);
u32 shim_net_addresses(struct net *net, struct shim_address *list, u32 max);

/* ---- router.c: packets that pass through ---- */
int shim_router_set(struct net *net, u16 udp_port);
bool shim_router_neighbour(const struct sk_buff *skb, u32 kind);

/* ---- sys.c: locks, time, work, random, cryptography ---- */
int shim_wq_init(void);
void shim_wq_exit(void);
struct shim_work *shim_work_new(void);
void shim_work_own(struct shim_work *work, void *owner, u32 what);
bool shim_work_arm(struct shim_work *work, u64 delay_us);
bool shim_work_cancel(struct shim_work *work);
void shim_work_after_readers(struct shim_work *work);
void shim_work_settle(void);
void shim_work_free(struct shim_work *work);
u64 shim_now_us(void);
void shim_bh_disable(void);
void shim_bh_enable(void);
void shim_random(u8 *buf, u32 len);
void shim_module_get(void);
void shim_module_put(void);
bool shim_x25519(u8 *out, const u8 *secret, const u8 *point);
bool shim_x25519_public(u8 *out, const u8 *secret);
struct shim_slice {
	const u8 *ptr;
	size_t len;
};
void shim_sha256(const struct shim_slice *parts, size_t n, u8 *out);
void shim_hmac_sha256(const u8 *key, size_t key_len, const struct shim_slice *parts, size_t n, u8 *out);
bool shim_equal(const u8 *a, const u8 *b, size_t len);

#include "shim_genl.h"

#endif
