// SPDX-License-Identifier: GPL-2.0
/*
 * Streams that take several TCP endpoints: the endpoints, whose calls go to
 * the bundle instead of a user, and what system calls on the socket do
 * differently. A socket whose peer does not take part is a plain one.
 */
#include <asm/ioctls.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>
#include <uapi/linux/eccp_socket.h>

#include "internal.h"

/* What an endpoint holds beyond its window: the more, the longer other members' data waits for it. */
#define SHIM_MEMBER_UNSENT (256 * 1024)
/* How long what is on its way may wait in the network's queues, in microseconds, beyond three round trips. */
#define SHIM_MEMBER_QUEUE 100000
#define SHIM_BUNDLE_BUFFER_MIN (64 * 1024)
#define SHIM_BUNDLE_BUFFER_USUAL (2 * 1024 * 1024)
#define SHIM_BUNDLE_BUFFER_MAX (8 * 1024 * 1024)

/* May be in softirq, as the others. Called with the socket locked. */
static void shim_member_data_ready(struct sock *sk)
{
	eccp_rust_member_ready(shim_flow_of(sk)->bundle);
}

static void shim_member_write_space(struct sock *sk)
{
	if (!__sk_stream_is_writeable(sk, 1))
		return;
	clear_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	eccp_rust_member_ready(shim_flow_of(sk)->bundle);
}

static void shim_member_state_change(struct sock *sk)
{
	struct shim_flow *flow = shim_flow_of(sk);

	flow->alone_state_change(sk);
	eccp_rust_member_ready(flow->bundle);
}

/* @bundle is told of everything from now on, until shim_member_leave(). */
void shim_member_join(struct shim_flow *flow, void *bundle)
{
	struct socket *inner = flow->inner;
	struct sock *sk = inner->sk;
	int on = 1, unsent = SHIM_MEMBER_UNSENT;

	inner->ops->setsockopt(inner, SOL_TCP, TCP_NODELAY, KERNEL_SOCKPTR(&on), sizeof(on));
	inner->ops->setsockopt(inner, SOL_TCP, TCP_NOTSENT_LOWAT, KERNEL_SOCKPTR(&unsent), sizeof(unsent));
	lock_sock(sk);
	flow->bundle = bundle;
	flow->alone_data_ready = sk->sk_data_ready;
	flow->alone_write_space = sk->sk_write_space;
	flow->alone_state_change = sk->sk_state_change;
	sk->sk_data_ready = shim_member_data_ready;
	sk->sk_write_space = shim_member_write_space;
	sk->sk_state_change = shim_member_state_change;
	release_sock(sk);
}

void shim_member_leave(struct shim_flow *flow)
{
	struct sock *sk = flow->inner->sk;

	lock_sock(sk);
	sk->sk_data_ready = flow->alone_data_ready;
	sk->sk_write_space = flow->alone_write_space;
	sk->sk_state_change = flow->alone_state_change;
	flow->bundle = NULL;
	release_sock(sk);
}

int shim_member_receive(struct shim_flow *flow, u8 *to, u32 len)
{
	struct kvec vec = { .iov_base = to, .iov_len = len };
	struct msghdr m = {};

	return kernel_recvmsg(flow->inner, &m, &vec, 1, len, MSG_DONTWAIT);
}

int shim_member_send(struct shim_flow *flow, const struct shim_slice *parts, size_t n)
{
	struct msghdr m = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kvec vec[3];
	size_t len = 0;

	n = min(n, ARRAY_SIZE(vec));
	for (size_t i = 0; i < n; i++) {
		vec[i].iov_base = (void *)parts[i].ptr;
		vec[i].iov_len = parts[i].len;
		len += parts[i].len;
	}
	return kernel_sendmsg(flow->inner, &m, vec, n, len);
}

/*
 * Whether the network holds so much of the endpoint's data that the others' would wait for it in
 * the ring. It ends with an acknowledgement at the latest.
 */
static bool shim_member_late(const struct sock *sk, u32 rtt_us)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return READ_ONCE(tp->packets_out) && rtt_us > 4 * (u64)tcp_min_rtt(tp) + SHIM_MEMBER_QUEUE;
}

/* Whether the endpoint takes data. If not, shim_member_write_space() tells when. */
bool shim_member_room(struct shim_flow *flow, u32 *rtt_us)
{
	struct sock *sk = flow->inner->sk;

	*rtt_us = READ_ONCE(tcp_sk(sk)->srtt_us) >> 3;
	if (!((1 << READ_ONCE(sk->sk_state)) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)))
		return false;
	if (sk_stream_is_writeable(sk) && !shim_member_late(sk, *rtt_us))
		return true;
	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	smp_mb__after_atomic();
	return sk_stream_is_writeable(sk) && !shim_member_late(sk, *rtt_us);
}

/* Sends FIN behind what was sent; what the peer still sends is received. */
void shim_member_shutdown(struct shim_flow *flow)
{
	kernel_sock_shutdown(flow->inner, SHUT_WR);
}

int shim_msg_get(struct msghdr *m, u8 *to, u32 len)
{
	return copy_from_iter_full(to, len, &m->msg_iter) ? 0 : -EFAULT;
}

u32 shim_msg_put(struct msghdr *m, const u8 *from, u32 len)
{
	return copy_to_iter(from, len, &m->msg_iter);
}

static bool shim_bundle_may_receive(struct sock *sk)
{
	return eccp_rust_bundle_is_ready(sk, true);
}

static bool shim_bundle_may_send(struct sock *sk)
{
	return eccp_rust_bundle_is_ready(sk, false);
}

/* Sleeps until the stream can go on. */
int shim_bundle_wait(struct sock *sk, bool receive, long *timeout)
{
	return shim_sk_wait_until(sk, receive ? shim_bundle_may_receive : shim_bundle_may_send, timeout);
}

/* Length of the ring for one direction: SO_SNDBUF and SO_RCVBUF as their user said, else what TCP may take. */
u32 shim_bundle_buffer(struct sock *sk, bool receive)
{
	struct net *net = sock_net(sk);
	u32 most = READ_ONCE(*(receive ? &net->ipv4.sysctl_tcp_rmem[2] : &net->ipv4.sysctl_tcp_wmem[2]));
	u32 len = min_t(u32, most, SHIM_BUNDLE_BUFFER_USUAL);

	if (READ_ONCE(sk->sk_userlocks) & (receive ? SOCK_RCVBUF_LOCK : SOCK_SNDBUF_LOCK))
		len = READ_ONCE(*(receive ? &sk->sk_rcvbuf : &sk->sk_sndbuf));
	return clamp_t(u32, len, SHIM_BUNDLE_BUFFER_MIN, SHIM_BUNDLE_BUFFER_MAX);
}

/* Before shim_sk_set_connecting() lets system calls go on. */
void shim_sk_set_bundled(struct sock *sk)
{
	WRITE_ONCE(shim_sock(sk)->bundled, true);
	smp_wmb(); /* pairs with shim_bundled() */
}

/* Called when the connection is there, or the socket has none. */
static bool shim_bundled(struct socket *sock)
{
	smp_rmb(); /* after "connecting" was read, see shim_sk_set_bundled() */
	return READ_ONCE(shim_sock(sock->sk)->bundled);
}

static __poll_t shim_bundle_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait)
{
	struct shim_sock *s = shim_sock(sock->sk);
	__poll_t mask;

	if (READ_ONCE(s->listening) || READ_ONCE(s->connecting) || !shim_bundled(sock))
		return shim_poll(file, sock, wait);
	sock_poll_wait(file, sock, wait);
	mask = (__force __poll_t)eccp_rust_bundle_poll(sock->sk);
	if (READ_ONCE(s->event_waiting))
		mask |= EPOLLPRI;
	if (READ_ONCE(sock->sk->sk_err))
		mask |= EPOLLERR;
	return mask;
}

static int shim_bundle_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	u32 what;

	if (!shim_bundled(sock))
		return shim_ioctl(sock, cmd, arg);
	switch (cmd) {
	case SIOCINQ:
		what = SHIM_QUEUED_READABLE;
		break;
	case SIOCOUTQ:
		what = SHIM_QUEUED_KEPT;
		break;
	case SIOCOUTQNSD:
		what = SHIM_QUEUED_UNSENT;
		break;
	default:
		return -ENOIOCTLCMD;
	}
	return put_user((int)eccp_rust_bundle_queued(sock->sk, what), (int __user *)arg);
}

static int shim_bundle_shutdown(struct socket *sock, int how)
{
	if (READ_ONCE(shim_sock(sock->sk)->connecting) || !shim_bundled(sock))
		return shim_stream_shutdown(sock, how);
	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	return eccp_rust_bundle_shutdown(sock->sk, how);
}

static int shim_bundle_sendmsg(struct socket *sock, struct msghdr *m, size_t len)
{
	int err = shim_await(sock, m->msg_flags & MSG_DONTWAIT);

	if (err)
		return err;
	if (!shim_bundled(sock))
		return shim_stream_sendmsg(sock, m, len);
	if (m->msg_flags & (MSG_FASTOPEN | MSG_OOB | MSG_ZEROCOPY))
		return -EOPNOTSUPP;
	len = min_t(size_t, len, INT_MAX);
	err = eccp_rust_bundle_send(sock->sk, m, len, m->msg_flags & MSG_DONTWAIT);
	return err < 0 ? sk_stream_error(sock->sk, m->msg_flags, err) : err;
}

static int shim_bundle_recvmsg(struct socket *sock, struct msghdr *m, size_t len, int flags)
{
	int err;

	if (flags & MSG_ERRQUEUE)
		return shim_stream_recvmsg(sock, m, len, flags);
	err = shim_await(sock, flags & MSG_DONTWAIT);
	if (err)
		return err;
	if (!shim_bundled(sock))
		return shim_stream_recvmsg(sock, m, len, flags);
	if (flags & (MSG_OOB | MSG_TRUNC))
		return -EOPNOTSUPP;
	len = min_t(size_t, len, INT_MAX);
	return eccp_rust_bundle_receive(sock->sk, m, len, flags & MSG_DONTWAIT, flags & MSG_PEEK, flags & MSG_WAITALL);
}

static int shim_bundle_set_peek_off(struct sock *sk, int val)
{
	return READ_ONCE(shim_sock(sk)->bundled) ? -EOPNOTSUPP : shim_set_peek_off(sk, val);
}

const struct proto_ops shim_bundle_ops = {
	.family = PF_ECCP,
	.owner = THIS_MODULE,
	.release = shim_release,
	.bind = shim_bind,
	.connect = shim_connect,
	.socketpair = sock_no_socketpair,
	.accept = shim_accept,
	.getname = shim_getname,
	.poll = shim_bundle_poll,
	.ioctl = shim_bundle_ioctl,
	.gettstamp = shim_gettstamp,
	.listen = shim_listen,
	.shutdown = shim_bundle_shutdown,
	.setsockopt = shim_setsockopt,
	.getsockopt = shim_getsockopt,
	.sendmsg = shim_bundle_sendmsg,
	.recvmsg = shim_bundle_recvmsg,
	.mmap = sock_no_mmap,
	.set_peek_off = shim_bundle_set_peek_off,
};
