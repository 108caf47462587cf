// SPDX-License-Identifier: GPL-2.0
/*
 * What TCP has learnt of a path: window, round-trip times, packet size. It is
 * the path's and not the connection's (protocol.md section 7.12).
 */
#include <linux/win_minmax.h>

#include "internal.h"

/* The segment size that the path has shown to carry, with plain headers; no less than TCP's clamp if it has always. */
static u16 shim_path_clamp(const struct sock *sk, const struct shim_flow *flow)
{
	u16 clamp = tcp_sk(sk)->rx_opt.mss_clamp;

	if (!flow->searching)
		return clamp;
	return min_t(u32, clamp, inet_csk(sk)->icsk_mtup.search_low - sizeof(struct iphdr) - sizeof(struct tcphdr));
}

/* Ends TCP's own search for a larger size; what it has found stays. */
static void shim_path_end_search(struct sock *sk, struct shim_flow *flow)
{
	tcp_sk(sk)->rx_opt.mss_clamp = shim_path_clamp(sk, flow);
	if (flow->searching) {
		inet_csk(sk)->icsk_mtup.enabled = 0;
		inet_csk(sk)->icsk_mtup.probe_size = 0;
	}
	flow->searching = false;
	flow->lowered = 0;
}

/* The packet size in use, as TCP knows it. */
u32 shim_path_mtu(const struct sock *sk, const struct shim_flow *flow)
{
	return min_t(u32, READ_ONCE(inet_csk(sk)->icsk_pmtu_cookie),
		     shim_path_clamp(sk, flow) + sizeof(struct iphdr) + sizeof(struct tcphdr));
}

/* What TCP knows of the path in use. */
void shim_path_learnt(struct shim_flow *flow, struct shim_learnt *learnt)
{
	struct sock *sk = flow->inner->sk;
	const struct tcp_sock *tp = tcp_sk(sk);

	lock_sock(sk);
	learnt->cwnd = tcp_snd_cwnd(tp);
	learnt->ssthresh = tp->snd_ssthresh;
	learnt->srtt_us = tp->srtt_us;
	learnt->mdev_us = tp->mdev_us;
	learnt->mdev_max_us = tp->mdev_max_us;
	learnt->rttvar_us = tp->rttvar_us;
	learnt->segment = shim_path_clamp(sk, flow);
	learnt->agreed = flow->mss_clamp;
	learnt->repairing = inet_csk(sk)->icsk_ca_state >= TCP_CA_CWR;
	release_sock(sk);
}

/* What is under way counts as lost with the old path, but for what the peer is known to have. */
static void shim_path_lose(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb = tcp_rtx_queue_head(sk);

	skb_rbtree_walk_from(skb) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

		if (cb->sacked & TCPCB_SACKED_ACKED)
			continue;
		if (cb->sacked & TCPCB_SACKED_RETRANS) {
			cb->sacked &= ~TCPCB_SACKED_RETRANS;
			tp->retrans_out -= tcp_skb_pcount(skb);
		}
		if (!(cb->sacked & TCPCB_LOST)) {
			cb->sacked |= TCPCB_LOST;
			tp->lost_out += tcp_skb_pcount(skb);
		}
	}
	tp->retransmit_skb_hint = NULL;
}

/* Begins a path with what is known of it. Called with the socket locked. */
void shim_path_begin(struct sock *sk, struct shim_flow *flow, const struct shim_start *start)
{
	const struct shim_learnt *learnt = &start->learnt;
	struct tcp_sock *tp = tcp_sk(sk);

	shim_path_end_search(sk, flow);
	minmax_reset(&tp->rtt_min, tcp_jiffies32, ~0U);
	tcp_snd_cwnd_set(tp, learnt->cwnd);
	tp->snd_ssthresh = learnt->ssthresh;
	tp->srtt_us = learnt->srtt_us;
	tp->mdev_us = learnt->mdev_us;
	tp->mdev_max_us = learnt->mdev_max_us;
	tp->rttvar_us = learnt->rttvar_us;
	tp->rx_opt.mss_clamp = learnt->segment;
	flow->lowered = start->lowered ? (jiffies ?: 1) : 0;
	flow->restart_cwnd = 0;
	if (!tp->packets_out)
		return;
	/* The window of the new path is not to pay for it: as if that loss had been answered already. */
	shim_path_lose(sk);
	flow->restart_cwnd = start->again_cwnd;
	tp->snd_ssthresh = start->again_ssthresh;
	tp->high_seq = tp->snd_nxt;
	tp->undo_marker = 0;
	tp->frto = 0;
	inet_csk(sk)->icsk_ca_state = TCP_CA_Loss;
	inet_csk(sk)->icsk_retransmits = 1;
}

/* Packet sizes, as TCP and the route know them. */
void shim_path_sizes(struct shim_flow *flow, struct shim_sizes *sizes)
{
	struct sock *sk = flow->inner->sk;
	const struct dst_entry *dst;

	lock_sock(sk);
	dst = __sk_dst_get(sk);
	sizes->packet = inet_csk(sk)->icsk_pmtu_cookie;
	sizes->segment = shim_path_clamp(sk, flow);
	sizes->agreed = flow->mss_clamp;
	sizes->route = dst && flow->path.usable && sk->sk_state != TCP_CLOSE ? dst_mtu(dst) : 0;
	sizes->v6 = flow->path.v6;
	release_sock(sk);
}

/* Ends the search for a larger size. Limits segments to @segment bytes and sends again at once, unless it is 0. */
void shim_path_limit(struct shim_flow *flow, u16 segment)
{
	struct sock *sk = flow->inner->sk;
	struct tcp_sock *tp = tcp_sk(sk);

	lock_sock(sk);
	shim_path_end_search(sk, flow);
	if (segment)
		tp->rx_opt.mss_clamp = segment;
	if (tp->rx_opt.mss_clamp < flow->mss_clamp)
		flow->lowered = jiffies ?: 1;
	if (segment && flow->path.usable && sk->sk_state != TCP_CLOSE) {
		inet_csk(sk)->icsk_pmtu_cookie = 0; /* the next segment is measured anew */
		shim_tcp_resend(sk);
	}
	release_sock(sk);
}

/*
 * Lets TCP search for a larger size between two, in bytes with plain headers: with single
 * segments, whose loss costs one retransmission and nothing of the window (RFC 4821).
 */
void shim_path_search(struct shim_flow *flow, u32 low, u32 high)
{
	struct sock *sk = flow->inner->sk;
	struct inet_connection_sock *icsk = inet_csk(sk);

	lock_sock(sk);
	icsk->icsk_mtup.search_low = low;
	icsk->icsk_mtup.search_high = high;
	icsk->icsk_mtup.probe_size = 0;
	icsk->icsk_mtup.probe_timestamp = tcp_jiffies32;
	icsk->icsk_mtup.enabled = 1;
	icsk->icsk_pmtu_cookie = 0; /* the next segment is measured anew */
	tcp_sk(sk)->rx_opt.mss_clamp = high - sizeof(struct iphdr) - sizeof(struct tcphdr);
	flow->searching = true;
	flow->lowered = 0;
	release_sock(sk);
}

/* Gives the search up until the path changes. */
void shim_path_settle(struct shim_flow *flow)
{
	WRITE_ONCE(flow->lowered, 0);
}
