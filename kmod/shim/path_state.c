// SPDX-License-Identifier: GPL-2.0
/*
 * What TCP has learnt of a path: window, round-trip times, packet size. It is
 * the path's and not the connection's (protocol.md section 7.12).
 */
#include <linux/win_minmax.h>

#include "internal.h"

/* How long what was learnt of a path is believed after the flow has left it. */
#define SHIM_STATE_LIFE (60 * HZ)

static bool shim_is_state_of(const struct shim_path_state *state, const struct shim_path *path)
{
	return state->left && !memcmp(state->local, path->local, 16) && !memcmp(state->remote, path->remote, 16);
}

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

/* The flow leaves its path. Called with the socket locked. */
void shim_path_remember(struct sock *sk, struct shim_flow *flow)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct shim_path_state *state = NULL;
	int i;

	if (!flow->path.usable || !tp->srtt_us)
		return;
	for (i = 0; i < SHIM_STATES; i++) {
		struct shim_path_state *s = &flow->states[i];

		if (shim_is_state_of(s, &flow->path)) {
			state = s;
			break;
		}
		if (!state || !s->left || (state->left && time_before(s->left, state->left)))
			state = s;
	}
	memcpy(state->local, flow->path.local, 16);
	memcpy(state->remote, flow->path.remote, 16);
	state->left = jiffies ?: 1;
	state->cwnd = tcp_snd_cwnd(tp);
	/* While losses are repaired, the window is smaller than what the path is held to carry. */
	if (inet_csk(sk)->icsk_ca_state >= TCP_CA_CWR && tp->snd_ssthresh < TCP_INFINITE_SSTHRESH)
		state->cwnd = max(state->cwnd, tp->snd_ssthresh);
	state->ssthresh = tp->snd_ssthresh;
	state->srtt_us = tp->srtt_us;
	state->mdev_us = tp->mdev_us;
	state->mdev_max_us = tp->mdev_max_us;
	state->rttvar_us = tp->rttvar_us;
	state->mss_clamp = shim_path_clamp(sk, flow);
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

/*
 * The flow is on its path anew: what was learnt of it within a minute holds
 * again, and otherwise nothing is known. Called with the socket locked.
 */
void shim_path_recall(struct sock *sk, struct shim_flow *flow)
{
	const struct shim_path_state *state = NULL;
	struct tcp_sock *tp = tcp_sk(sk);
	int i;

	for (i = 0; i < SHIM_STATES; i++)
		if (shim_is_state_of(&flow->states[i], &flow->path) &&
		    time_before(jiffies, flow->states[i].left + SHIM_STATE_LIFE))
			state = &flow->states[i];
	shim_path_end_search(sk, flow);
	minmax_reset(&tp->rtt_min, tcp_jiffies32, ~0U);
	if (state) {
		tcp_snd_cwnd_set(tp, state->cwnd);
		tp->snd_ssthresh = state->ssthresh;
		tp->srtt_us = state->srtt_us;
		tp->mdev_us = state->mdev_us;
		tp->mdev_max_us = state->mdev_max_us;
		tp->rttvar_us = state->rttvar_us;
		tp->rx_opt.mss_clamp = state->mss_clamp;
		if (state->mss_clamp < flow->mss_clamp)
			flow->lowered = jiffies ?: 1;
	} else {
		tcp_snd_cwnd_set(tp, min_t(u32, tcp_snd_cwnd(tp), TCP_INIT_CWND));
		tp->snd_ssthresh = TCP_INFINITE_SSTHRESH;
		tp->srtt_us = 0;
		tp->mdev_us = jiffies_to_usecs(TCP_TIMEOUT_INIT);
		tp->rx_opt.mss_clamp = flow->mss_clamp;
	}
	flow->restart_cwnd = 0;
	if (!tp->packets_out)
		return;
	/* The window of the new path is not to pay for it: as if that loss had been answered already. */
	shim_path_lose(sk);
	flow->restart_cwnd = state ? max(state->cwnd, 2U) : TCP_INIT_CWND;
	if (state)
		tp->snd_ssthresh = min(max(state->cwnd, 2U), state->ssthresh);
	tp->high_seq = tp->snd_nxt;
	tp->undo_marker = 0;
	tp->frto = 0;
	inet_csk(sk)->icsk_ca_state = TCP_CA_Loss;
	inet_csk(sk)->icsk_retransmits = 1;
}

/*
 * Small packets pass and large ones do not, and nobody says so: tries the next
 * smaller size. Returns the new path MTU, or 0 if there is none smaller.
 */
u32 shim_path_shrink(struct shim_flow *flow)
{
	static const u16 sizes[] = { 1400, IPV6_MIN_MTU, 576 };
	struct sock *sk = flow->inner->sk;
	struct tcp_sock *tp = tcp_sk(sk);
	u32 mtu = 0;
	int i;

	lock_sock(sk);
	shim_path_end_search(sk, flow);
	for (i = 0; i < ARRAY_SIZE(sizes) && !mtu; i++) {
		u16 clamp = sizes[i] - sizeof(struct iphdr) - sizeof(struct tcphdr);

		if (flow->path.v6 && sizes[i] < IPV6_MIN_MTU)
			break;
		/* The clamp counts plain headers; TCP takes what the flow adds off behind it. */
		if (clamp < tp->rx_opt.mss_clamp && sizes[i] < inet_csk(sk)->icsk_pmtu_cookie) {
			tp->rx_opt.mss_clamp = clamp;
			mtu = sizes[i];
		}
	}
	if (tp->rx_opt.mss_clamp < flow->mss_clamp)
		flow->lowered = jiffies ?: 1;
	if (mtu && flow->path.usable && sk->sk_state != TCP_CLOSE) {
		inet_csk(sk)->icsk_pmtu_cookie = 0; /* the next segment is measured anew */
		shim_tcp_resend(sk);
	}
	release_sock(sk);
	return mtu;
}

/*
 * Lets TCP search for a larger size on a path whose size was lowered: with single
 * segments, whose loss costs one retransmission and nothing of the window (RFC 4821).
 */
void shim_path_raise(struct shim_flow *flow)
{
	struct sock *sk = flow->inner->sk;
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	const struct dst_entry *dst;
	u32 low, high;

	lock_sock(sk);
	dst = __sk_dst_get(sk);
	if (!flow->lowered || !dst || !flow->path.usable || sk->sk_state == TCP_CLOSE)
		goto out;
	flow->lowered = 0;
	low = tp->rx_opt.mss_clamp + sizeof(struct iphdr) + sizeof(struct tcphdr);
	high = min_t(u32, dst_mtu(dst), flow->mss_clamp + sizeof(struct iphdr) + sizeof(struct tcphdr));
	if (low >= high)
		goto out;
	icsk->icsk_mtup.search_low = low;
	icsk->icsk_mtup.search_high = high;
	icsk->icsk_mtup.probe_size = 0;
	icsk->icsk_mtup.probe_timestamp = tcp_jiffies32;
	icsk->icsk_mtup.enabled = 1;
	icsk->icsk_pmtu_cookie = 0; /* the next segment is measured anew */
	tp->rx_opt.mss_clamp = high - sizeof(struct iphdr) - sizeof(struct tcphdr);
	flow->searching = true;
out:
	release_sock(sk);
}
