// SPDX-License-Identifier: GPL-2.0
/*
 * Whether what TCP has sent arrives. Reads fields of struct tcp_sock and writes
 * none; the numbers are noted where TCP hands over a packet, so that nothing
 * has to run while acknowledgements come.
 */
#include "internal.h"

/* Somebody sends: whether it arrives is looked at from now on. */
void shim_watch_begin(struct shim_flow *flow)
{
	if (!READ_ONCE(flow->watched)) {
		WRITE_ONCE(flow->watched, true);
		eccp_rust_watch(flow->owner);
	}
}

/* TCP sends a packet. Called with the socket locked. */
void shim_watch_sent(struct sock *sk, struct shim_flow *flow)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 delivered = tp->delivered;

	if (delivered != flow->delivered || (!tp->packets_out && !inet_csk(sk)->icsk_probes_out)) {
		WRITE_ONCE(flow->delivered, delivered);
		WRITE_ONCE(flow->delivered_at, jiffies);
	}
	shim_watch_begin(flow);
}

/* What is outstanding and for how long. Only while the endpoint is adopted. */
void shim_watch_look(struct shim_flow *flow, struct shim_watch *watch)
{
	struct sock *sk = flow->inner->sk;
	const struct inet_connection_sock *icsk = inet_csk(sk);
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 delivered = READ_ONCE(tp->delivered);

	memset(watch, 0, sizeof(*watch));
	watch->outstanding = READ_ONCE(tp->packets_out) || READ_ONCE(icsk->icsk_probes_out);
	if (READ_ONCE(flow->lowered))
		watch->lowered_ms = jiffies_to_msecs(jiffies - READ_ONCE(flow->lowered)) ?: 1;
	watch->srtt_us = READ_ONCE(tp->srtt_us) >> 3;
	watch->rx_packets = READ_ONCE(flow->rx_packets);
	watch->silent_us = jiffies_to_usecs(tcp_jiffies32 - READ_ONCE(icsk->icsk_ack.lrcvtime));
	/* What was acknowledged since the last packet left was acknowledged a moment ago, for all that is known. */
	if (delivered != READ_ONCE(flow->delivered)) {
		WRITE_ONCE(flow->delivered, delivered);
		WRITE_ONCE(flow->delivered_at, jiffies);
	}
	watch->unacknowledged_us = jiffies_to_usecs(jiffies - READ_ONCE(flow->delivered_at));
}

/* The next packet of TCP's begins to watch again. */
void shim_watch_end(struct shim_flow *flow)
{
	WRITE_ONCE(flow->watched, false);
}

/* Sends again at once what waits for acknowledgement. */
void shim_watch_resend(struct shim_flow *flow)
{
	struct sock *sk = flow->inner->sk;

	lock_sock(sk);
	if (flow->path.usable && sk->sk_state != TCP_CLOSE)
		shim_tcp_resend(sk);
	release_sock(sk);
}
