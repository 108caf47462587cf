// SPDX-License-Identifier: GPL-2.0
/*
 * The inner TCP endpoint of a flow: a native socket of this kernel that is put
 * straight into ESTABLISHED, known only by the virtual addresses of its flow
 * IDs, whose packets leave through the flow.
 *
 * This file and path_state.c are the only ones that change fields of struct
 * tcp_sock.
 */
#include "internal.h"

static int shim_queue_xmit(struct sock *sk, struct sk_buff *skb, struct flowi *fl)
{
	struct shim_flow *flow = shim_flow_of(sk);

	/* A timer that expired has left one segment of the window, but this path has lost nothing yet. */
	if (unlikely(flow->restart_cwnd) && skb->len > tcp_hdrlen(skb)) {
		if (inet_csk(sk)->icsk_ca_state == TCP_CA_Loss && inet_csk(sk)->icsk_retransmits > 1)
			tcp_snd_cwnd_set(tcp_sk(sk), flow->restart_cwnd);
		flow->restart_cwnd = 0;
	}
	shim_watch_sent(sk, flow);
	return eccp_rust_xmit(sk, skb, flow, flow->owner);
}

static int shim_rebuild_header(struct sock *sk)
{
	return 0;
}

static void shim_sk_rx_dst_set(struct sock *sk, const struct sk_buff *skb)
{
}

static void shim_mtu_reduced(struct sock *sk)
{
	inet_csk(sk)->icsk_pmtu_cookie = 0;
}

struct shim_flow *shim_flow_new(u64 local_id)
{
	struct shim_flow *flow = kzalloc(sizeof(*flow), GFP_KERNEL);

	if (!flow)
		return NULL;
	flow->local_id = local_id;
	skb_queue_head_init(&flow->held);
	skb_queue_head_init(&flow->waiting);
	spin_lock_init(&flow->lock);
	return flow;
}

void shim_flow_own(struct shim_flow *flow, void *owner)
{
	flow->owner = owner;
}

void shim_flow_free(struct shim_flow *flow)
{
	skb_queue_purge(&flow->held);
	skb_queue_purge(&flow->waiting);
	dst_release(flow->dst);
	kfree(flow);
}

u32 shim_flow_pseudo(const struct shim_flow *flow)
{
	return (__force u32)flow->pseudo;
}

/* The peer's ID of the flow that data takes. Called with the inner socket locked. */
u64 shim_tx_receiver(const struct shim_flow *flow)
{
	return flow->path.receiver;
}

void shim_flow_stats(struct shim_flow *flow, struct shim_flow_stats *stats, bool adopted)
{
	memset(stats, 0, sizeof(*stats));
	stats->rx_packets = READ_ONCE(flow->rx_packets);
	stats->rx_bytes = READ_ONCE(flow->rx_bytes);
	stats->tx_packets = READ_ONCE(flow->tx_packets);
	stats->tx_bytes = READ_ONCE(flow->tx_bytes);
	if (adopted) {
		const struct tcp_sock *tp = tcp_sk(flow->inner->sk);

		stats->srtt_us = READ_ONCE(tp->srtt_us) >> 3;
		stats->cwnd = tcp_snd_cwnd(tp);
		stats->mss = READ_ONCE(tp->mss_cache);
		stats->mtu = shim_path_mtu(flow->inner->sk, flow);
		stats->ssthresh = READ_ONCE(tp->snd_ssthresh);
		stats->tcp_state = READ_ONCE(flow->inner->sk->sk_state);
	}
}

struct socket *shim_tcp_socket(const struct shim_flow *flow)
{
	return flow->inner;
}

struct socket *shim_tcp_new(struct net *net)
{
	struct socket *inner;

	return sock_create_kern(net, AF_INET, SOCK_STREAM, IPPROTO_TCP, &inner) ? NULL : inner;
}

void shim_tcp_drop(struct socket *inner)
{
	sock_release(inner);
}

/* What an accepted connection takes over from its listener, as in TCP. */
void shim_tcp_inherit(struct socket *inner, struct socket *from)
{
	struct sock *sk = inner->sk, *parent = from->sk;

	lock_sock(sk);
	sk->sk_rcvbuf = READ_ONCE(parent->sk_rcvbuf);
	sk->sk_sndbuf = READ_ONCE(parent->sk_sndbuf);
	sk->sk_userlocks |= READ_ONCE(parent->sk_userlocks) & (SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK);
	sk->sk_priority = READ_ONCE(parent->sk_priority);
	sk->sk_mark = READ_ONCE(parent->sk_mark);
	sk->sk_rcvlowat = READ_ONCE(parent->sk_rcvlowat);
	sk->sk_pacing_rate = READ_ONCE(parent->sk_pacing_rate);
	if (sock_flag(parent, SOCK_KEEPOPEN))
		sock_set_flag(sk, SOCK_KEEPOPEN);
	tcp_sk(sk)->nonagle = tcp_sk(parent)->nonagle;
	tcp_sk(sk)->keepalive_time = tcp_sk(parent)->keepalive_time;
	tcp_sk(sk)->keepalive_intvl = tcp_sk(parent)->keepalive_intvl;
	tcp_sk(sk)->keepalive_probes = tcp_sk(parent)->keepalive_probes;
	inet_csk(sk)->icsk_user_timeout = inet_csk(parent)->icsk_user_timeout;
	inet_sk(sk)->tos = inet_sk(parent)->tos;
	release_sock(sk);
}

/* TCP_USER_TIMEOUT in milliseconds; 0: not set. */
u32 shim_tcp_user_timeout(const struct socket *inner)
{
	return READ_ONCE(inet_csk(inner->sk)->icsk_user_timeout);
}

/* What the sysctl net.ipv4.tcp_ecn says of a connection. Accurate ECN is not spoken here: where it says that, it is ECN. */
static bool shim_wants_ecn(const struct net *net, bool connects)
{
	u8 mode = READ_ONCE(net->ipv4.sysctl_tcp_ecn);

	return connects ? mode == 1 || mode == 3 || mode == 4 : mode != 0;
}

/* The window scale follows from the largest buffer that autotuning may reach. */
void shim_tcp_offer(struct socket *inner, u32 mtu, bool connects, struct shim_transport *offer)
{
	struct net *net = sock_net(inner->sk);
	u32 space = max_t(u32, READ_ONCE(net->ipv4.sysctl_tcp_rmem[2]), READ_ONCE(sysctl_rmem_max));

	memset(offer, 0, sizeof(*offer));
	offer->isn = get_random_u32();
	offer->wscale = clamp_t(int, ilog2(space) - 15, 0, TCP_MAX_WSCALE);
	offer->window = 64240;
	offer->mtu = min_t(u32, mtu, U16_MAX);
	offer->ecn = shim_wants_ecn(net, connects);
}

/* An error of the endpoint is the AF_ECCP socket's too. Called with the socket locked. */
static void shim_inner_error(struct sock *inner)
{
	struct shim_flow *flow = shim_flow_of(inner);

	if (flow->outer)
		WRITE_ONCE(flow->outer->sk_err, READ_ONCE(inner->sk_err));
	flow->error_report(inner);
}

/* Tells Rust when an endpoint has closed for good. May be in softirq. */
static void shim_inner_state(struct sock *inner)
{
	struct shim_flow *flow = shim_flow_of(inner);

	flow->state_change(inner);
	if (inner->sk_state == TCP_CLOSE)
		eccp_rust_inner_closed(flow->owner);
}

static int shim_name_endpoint(struct sock *sk, struct shim_flow *flow)
{
	struct inet_sock *inet = inet_sk(sk);
	int err;

	sk->sk_bound_dev_if = SHIM_NOWHERE;
	inet->inet_saddr = inet->inet_rcv_saddr = shim_virtual_addr(flow->local_id);
	sk->sk_reuse = SK_FORCE_REUSE;
	/* The bind bucket is needed by TIME_WAIT. */
	err = sk->sk_prot->get_port(sk, shim_virtual_port(flow->local_id));
	if (err)
		return -EADDRINUSE;
	sk->sk_userlocks |= SOCK_BINDADDR_LOCK | SOCK_BINDPORT_LOCK;
	inet->inet_sport = htons(inet->inet_num);
	inet->inet_dport = htons(shim_virtual_port(flow->remote_id));
	inet->inet_daddr = shim_virtual_addr(flow->remote_id);
	return 0;
}

static void shim_route_through(struct sock *sk, struct shim_flow *flow)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	flow->orig = icsk->icsk_af_ops;
	flow->ops = *flow->orig;
	flow->ops.queue_xmit = shim_queue_xmit;
	flow->ops.rebuild_header = shim_rebuild_header;
	flow->ops.sk_rx_dst_set = shim_sk_rx_dst_set;
	flow->ops.mtu_reduced = shim_mtu_reduced;
	icsk->icsk_af_ops = &flow->ops;
	icsk->icsk_ext_hdr_len = shim_overhead(&flow->path);
	/*
	 * No network card may segment these packets as if they were plain TCP:
	 * the SCTP bit is one that only software segmentation offers.
	 */
	sk->sk_gso_type = SKB_GSO_TCPV4 | SKB_GSO_SCTP;
}

static void shim_agree(struct sock *sk, const struct shim_transport *local, const struct shim_transport *remote)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tp->rx_opt.tstamp_ok = 1;
	tp->rx_opt.sack_ok = TCP_SACK_SEEN;
	tp->rx_opt.wscale_ok = 1;
	tp->rx_opt.snd_wscale = min_t(u8, remote->wscale, TCP_MAX_WSCALE);
	tp->rx_opt.rcv_wscale = min_t(u8, local->wscale, TCP_MAX_WSCALE);
	tp->tcp_header_len = sizeof(struct tcphdr) + TCPOLEN_TSTAMP_ALIGNED;
	tp->snd_wnd = min_t(u32, remote->window, 1U << 20);
	tp->max_window = tp->snd_wnd;
	tcp_ecn_mode_set(tp, local->ecn && remote->ecn ? TCP_ECN_MODE_RFC3168 : TCP_ECN_DISABLED);
	tp->snd_wl1 = remote->isn;
	inet_csk(sk)->icsk_ack.lrcvtime = tcp_jiffies32;
}

/*
 * Puts @inner straight into ESTABLISHED on @path. On error the endpoint is
 * still the caller's and unconnected.
 */
int shim_tcp_adopt(struct shim_flow *flow, struct socket *inner, u64 remote_id, const struct shim_path *path,
		   const struct shim_transport *local, const struct shim_transport *remote)
{
	struct sock *sk = inner->sk;
	struct tcp_sock *tp = tcp_sk(sk);
	struct dst_entry *dst;
	int err;

	lock_sock(sk);
	err = -EINVAL;
	if (sk->sk_state != TCP_CLOSE)
		goto out;
	flow->path = *path;
	flow->remote_id = remote_id;
	dst = shim_route(sock_net(sk), sk, path, &flow->cookie, NULL);
	err = PTR_ERR_OR_ZERO(dst);
	if (err)
		goto out;
	err = shim_name_endpoint(sk, flow);
	if (err) {
		dst_release(dst);
		goto out;
	}
	shim_route_through(sk, flow);
	sk_setup_caps(sk, dst);
	/* TCP takes the outer headers' size off after the clamp, so this is the peer's MTU less plain headers. */
	tp->rx_opt.mss_clamp = max_t(u32, remote->mtu, 576) - sizeof(struct iphdr) - sizeof(struct tcphdr);
	flow->mss_clamp = tp->rx_opt.mss_clamp;
	WRITE_ONCE(tp->write_seq, local->isn);
	WRITE_ONCE(tp->rcv_nxt, remote->isn);
	tp->tsoffset = get_random_u32();
	tp->repair = 1;
	inet_sk_set_state(sk, TCP_SYN_SENT); /* hash() ignores CLOSE */
	sk->sk_prot->hash(sk);
	sk_set_txhash(sk);
	err = tcp_connect(sk);
	shim_agree(sk, local, remote);
	tp->repair = 0;
	sk->sk_reuse = SK_NO_REUSE;
	flow->pseudo = csum_tcpudp_nofold(shim_virtual_addr(flow->remote_id), shim_virtual_addr(flow->local_id), 0,
					  IPPROTO_TCP, 0);
	flow->state_change = sk->sk_state_change;
	flow->error_report = sk->sk_error_report;
	sk->sk_state_change = shim_inner_state;
	sk->sk_error_report = shim_inner_error;
	flow->inner = inner;
	inner->state = SS_CONNECTED;
out:
	release_sock(sk);
	return err;
}

/* What TCP leaves to whoever holds the lock is done when the lock is given back. */
static void shim_tcp_leave(struct sock *sk, enum tsq_enum what)
{
	if (!test_and_set_bit(what, &sk->sk_tsq_flags))
		sock_hold(sk);
}

/*
 * Sends again at once, without the waiting times that have grown while nothing arrived: as if the
 * timer had expired, or all that is marked as lost. A segment whose last copy still lies in a queue
 * of this host cannot be sent now; the timer repeats it. Called with the socket locked.
 */
void shim_tcp_resend(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);

	icsk->icsk_rto = TCP_TIMEOUT_INIT;
	icsk->icsk_backoff = 0;
	if (tp->lost_out > tp->retrans_out) {
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, HZ / 50, TCP_RTO_MAX);
		shim_tcp_leave(sk, TCP_TSQ_DEFERRED);
	} else if (tp->packets_out) {
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, 0, TCP_RTO_MAX);
		shim_tcp_leave(sk, TCP_WRITE_TIMER_DEFERRED);
	} else if (!tcp_write_queue_empty(sk)) {
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_PROBE0, 0, TCP_RTO_MAX);
		shim_tcp_leave(sk, TCP_WRITE_TIMER_DEFERRED);
	}
}

/* Moves the endpoint to @path. @start: what it begins with; NULL: it is the same one by another port, or none. */
void shim_tcp_set_path(struct shim_flow *flow, const struct shim_path *path, const struct shim_start *start)
{
	struct sock *sk = flow->inner->sk;
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);

	lock_sock(sk);
	flow->path = *path;
	if (!path->usable || sk->sk_state == TCP_CLOSE)
		goto out;
	/* What was not acknowledged on another path says nothing about this one. */
	WRITE_ONCE(flow->delivered_at, jiffies);
	icsk->icsk_ext_hdr_len = shim_overhead(path);
	sk_dst_reset(sk);
	if (shim_tx_route(sk, flow))
		goto out; /* the next transmission tries again */
	icsk->icsk_pmtu_cookie = 0; /* the next segment takes the new path's MTU */
	if (start)
		shim_path_begin(sk, flow, start);
	shim_tcp_resend(sk);
	if ((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 | TCPF_CLOSE_WAIT))
		__tcp_send_ack(sk, tp->rcv_nxt, 0); /* shows the peer where we are now */
out:
	release_sock(sk);
}

/* The peer is called by another flow ID; TCP goes on as before. */
void shim_flow_set_receiver(struct shim_flow *flow, u64 receiver, bool datagrams)
{
	if (datagrams) {
		spin_lock_bh(&flow->lock);
		flow->path.receiver = receiver;
		spin_unlock_bh(&flow->lock);
		return;
	}
	lock_sock(flow->inner->sk);
	flow->path.receiver = receiver;
	release_sock(flow->inner->sk);
}

void shim_set_wait_queue(struct sock *sk, struct socket_wq *wq)
{
	write_lock_bh(&sk->sk_callback_lock);
	rcu_assign_pointer(sk->sk_wq, wq);
	write_unlock_bh(&sk->sk_callback_lock);
}

/* Whoever sleeps or polls on the AF_ECCP socket is woken by the endpoint itself. */
void shim_tcp_attach_user(struct shim_flow *flow, struct sock *outer)
{
	struct sock *sk = flow->inner->sk;

	shim_set_wait_queue(sk, &outer->sk_socket->wq);
	lock_sock(sk);
	flow->outer = outer;
	WRITE_ONCE(outer->sk_err, READ_ONCE(sk->sk_err));
	release_sock(sk);
	sk->sk_state_change(sk);
}

void shim_tcp_detach_user(struct shim_flow *flow)
{
	struct sock *sk = flow->inner->sk;

	lock_sock(sk);
	flow->outer = NULL;
	release_sock(sk);
	shim_set_wait_queue(sk, &flow->inner->wq);
}

void shim_tcp_shutdown(struct shim_flow *flow)
{
	kernel_sock_shutdown(flow->inner, SHUT_RDWR);
}

void shim_tcp_abort(struct shim_flow *flow, int err)
{
	if (flow->inner->sk->sk_state != TCP_CLOSE)
		tcp_abort(flow->inner->sk, err);
}

bool shim_tcp_closed(struct shim_flow *flow)
{
	return READ_ONCE(flow->inner->sk->sk_state) == TCP_CLOSE;
}

bool shim_tcp_unread(struct shim_flow *flow)
{
	struct tcp_sock *tp = tcp_sk(flow->inner->sk);

	return !skb_queue_empty_lockless(&flow->inner->sk->sk_receive_queue) &&
	       (int)(READ_ONCE(tp->rcv_nxt) - READ_ONCE(tp->copied_seq)) > 0 + !!(flow->inner->sk->sk_shutdown & RCV_SHUTDOWN);
}

/* Whether the peer has acknowledged all that was sent, FIN included. */
bool shim_tcp_flushed(struct shim_flow *flow)
{
	return !((1 << READ_ONCE(flow->inner->sk->sk_state)) & (TCPF_FIN_WAIT1 | TCPF_CLOSING | TCPF_LAST_ACK));
}

bool shim_tcp_half_closed(struct shim_flow *flow)
{
	return READ_ONCE(flow->inner->sk->sk_state) == TCP_FIN_WAIT2;
}

/* What answers for a closed endpoint from now on. */
void shim_tcp_tail(struct shim_flow *flow, struct shim_tail *tail)
{
	struct sock *sk = flow->inner->sk;
	struct tcp_sock *tp = tcp_sk(sk);

	lock_sock(sk);
	tail->seq = tp->snd_nxt;
	tail->ack = tp->rcv_nxt;
	tail->tsval = tcp_clock_ts(false) + tp->tsoffset;
	tail->tsecr = tp->rx_opt.ts_recent;
	tail->window = 1;
	tail->error = sk->sk_err;
	release_sock(sk);
}

/* Lets go of a closed endpoint; no packet may be on its way into it any more. */
void shim_tcp_release(struct shim_flow *flow)
{
	struct socket *inner = flow->inner;
	struct sock *sk = inner->sk;

	lock_sock(sk);
	sk->sk_state_change = flow->state_change;
	sk->sk_error_report = flow->error_report;
	inet_csk(sk)->icsk_af_ops = flow->orig;
	release_sock(sk);
	sock_release(inner);
}
