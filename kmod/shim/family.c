// SPDX-License-Identifier: GPL-2.0
/*
 * The socket family: an AF_ECCP socket is a thin shell around the TCP endpoint
 * of its flow. What the shell does not do itself goes to the endpoint as it is.
 */
#include <asm/ioctls.h>
#include <linux/in.h>
#include <linux/sched/signal.h>
#include <linux/tcp.h>
#include <linux/wait.h>
#include <uapi/linux/eccp_socket.h>

#include "internal.h"

static struct proto shim_proto = {
	.name = "ECCP",
	.owner = THIS_MODULE,
	.obj_size = sizeof(struct shim_sock),
};
static const struct proto_ops shim_stream_ops;

static struct socket *shim_inner(struct socket *sock)
{
	return shim_sock(sock->sk)->inner;
}

static struct sock *shim_sk_new(struct net *net, struct socket *sock, gfp_t gfp, int kern)
{
	struct sock *sk = sk_alloc(net, shim_family, gfp, &shim_proto, kern);

	if (!sk)
		return NULL;
	sock_init_data(sock, sk);
	set_bit(SOCK_SUPPORT_ZC, &sock->flags);
	set_bit(SOCK_CUSTOM_SOCKOPT, &sock->flags);
	return sk;
}

static int shim_create(struct net *net, struct socket *sock, int protocol, int kern)
{
	struct shim_sock *s;
	struct sock *sk;
	int err;

	if (sock->type != SOCK_STREAM && sock->type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol)
		return -EPROTONOSUPPORT;
	sk = shim_sk_new(net, sock, GFP_KERNEL, kern);
	if (!sk)
		return -ENOMEM;
	s = shim_sock(sk);
	s->inner = sock->type == SOCK_DGRAM ? shim_dgram_new(net, sock) : shim_tcp_new(net);
	err = s->inner ? eccp_rust_create(sk) : -ENOMEM;
	if (err && s->inner)
		sock_release(s->inner);
	if (err) {
		sock->sk = NULL;
		sock_put(sk);
		return err;
	}
	sock->ops = sock->type == SOCK_DGRAM ? &shim_dgram_ops : &shim_stream_ops;
	return 0;
}

int shim_release(struct socket *sock)
{
	struct sock *sk = sock->sk;

	if (!sk)
		return 0;
	eccp_rust_release(sk);
	sock_orphan(sk);
	sock->sk = NULL;
	sock_put(sk);
	return 0;
}

int shim_bind(struct socket *sock, struct sockaddr_unsized *addr, int len)
{
	return eccp_rust_bind(sock->sk, (u8 *)addr, len);
}

int shim_connect(struct socket *sock, struct sockaddr_unsized *addr, int len, int flags)
{
	return eccp_rust_connect(sock->sk, sock, (u8 *)addr, len, flags & O_NONBLOCK);
}

int shim_listen(struct socket *sock, int backlog)
{
	return eccp_rust_listen(sock->sk, sock, backlog);
}

int shim_accept(struct socket *sock, struct socket *newsock, struct proto_accept_arg *arg)
{
	struct sock *sk = sock->sk;
	struct sock *child = shim_sk_new(sock_net(sk), newsock, GFP_KERNEL, arg->kern);
	int err;

	if (!child)
		return -ENOMEM;
	err = eccp_rust_accept(sk, sock, child, newsock, arg->flags & O_NONBLOCK);
	if (err) {
		newsock->sk = NULL;
		sock_orphan(child);
		sock_put(child);
	}
	return err;
}

int shim_getname(struct socket *sock, struct sockaddr *addr, int peer)
{
	return eccp_rust_getname(sock->sk, (u8 *)addr, peer);
}

__poll_t shim_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait)
{
	struct shim_sock *s = shim_sock(sock->sk);
	__poll_t mask;

	sock_poll_wait(file, sock, wait);
	if (READ_ONCE(s->listening))
		return eccp_rust_poll(sock->sk);
	if (READ_ONCE(s->connecting))
		return 0;
	mask = s->inner->ops->poll(file, s->inner, NULL);
	if (READ_ONCE(s->event_waiting))
		mask |= EPOLLPRI;
	if (READ_ONCE(sock->sk->sk_err))
		mask |= EPOLLERR;
	return mask;
}

int shim_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct socket *inner = shim_inner(sock);

	switch (cmd) {
	case SIOCINQ:
	case SIOCOUTQ:
	case SIOCOUTQNSD:
	case SIOCATMARK:
		return inner->ops->ioctl(inner, cmd, arg);
	default:
		return -ENOIOCTLCMD;
	}
}

int shim_gettstamp(struct socket *sock, void __user *stamp, bool timeval, bool time32)
{
	return sock_gettstamp(shim_inner(sock), stamp, timeval, time32);
}

int shim_stream_shutdown(struct socket *sock, int how)
{
	struct socket *inner = shim_inner(sock);

	return inner->ops->shutdown(inner, how);
}

static int shim_set_sol_socket(struct socket *sock, int name, sockptr_t val, unsigned int len)
{
	struct socket *inner = shim_inner(sock);
	int err;

	switch (name) {
	case SO_ATTACH_FILTER:
	case SO_ATTACH_BPF:
	case SO_ATTACH_REUSEPORT_CBPF:
	case SO_ATTACH_REUSEPORT_EBPF:
	case SO_REUSEPORT:
		return -ENOPROTOOPT;
	case SO_ZEROCOPY:
		return sock_setsockopt(inner, SOL_SOCKET, name, val, len);
	case SO_BINDTODEVICE:
	case SO_BINDTOIFINDEX:
	case SO_LINGER:
		return sock_setsockopt(sock, SOL_SOCKET, name, val, len);
	default:
		err = sock_setsockopt(sock, SOL_SOCKET, name, val, len);
		return err ?: sock_setsockopt(inner, SOL_SOCKET, name, val, len);
	}
}

/* Options by which TCP would go behind the flow's back. */
static bool shim_tcp_option_refused(int name)
{
	switch (name) {
	case TCP_REPAIR:
	case TCP_REPAIR_QUEUE:
	case TCP_REPAIR_OPTIONS:
	case TCP_REPAIR_WINDOW:
	case TCP_QUEUE_SEQ:
	case TCP_ULP:
	case TCP_MD5SIG:
	case TCP_MD5SIG_EXT:
	case TCP_AO_ADD_KEY:
	case TCP_AO_DEL_KEY:
	case TCP_AO_INFO:
	case TCP_AO_GET_KEYS:
	case TCP_AO_REPAIR:
	case TCP_FASTOPEN:
	case TCP_FASTOPEN_CONNECT:
	case TCP_FASTOPEN_KEY:
	case TCP_FASTOPEN_NO_COOKIE:
	case TCP_DEFER_ACCEPT:
	case TCP_SAVE_SYN:
		return true;
	default:
		return false;
	}
}

static int shim_set_sol_eccp(struct socket *sock, int name, sockptr_t val, unsigned int len)
{
	u8 buf[64];
	int err;

	if (len > sizeof(buf))
		return -EINVAL;
	if (copy_from_sockptr(buf, val, len))
		return -EFAULT;
	err = eccp_rust_setsockopt(sock->sk, name, buf, len);
	memzero_explicit(buf, sizeof(buf));
	/* Only those who ask for it pay for the choice at each call. */
	if (!err && name == ECCP_MODE)
		WRITE_ONCE(sock->ops, &shim_bundle_ops);
	return err;
}

int shim_setsockopt(struct socket *sock, int level, int name, sockptr_t val, unsigned int len)
{
	struct socket *inner = shim_inner(sock);

	if (level == SOL_SOCKET)
		return shim_set_sol_socket(sock, name, val, len);
	if (level == SOL_ECCP)
		return shim_set_sol_eccp(sock, name, val, len);
	if ((level == SOL_TCP && !shim_tcp_option_refused(name)) || (level == SOL_IP && name == IP_TOS))
		return inner->ops->setsockopt(inner, level, name, val, len);
	return -ENOPROTOOPT;
}

int shim_getsockopt(struct socket *sock, int level, int name, char __user *val, int __user *lenp)
{
	struct socket *inner = shim_inner(sock);
	int len, err;
	u8 *buf;

	if ((level == SOL_TCP && !shim_tcp_option_refused(name)) || (level == SOL_IP && name == IP_TOS))
		return do_sock_getsockopt(inner, false, level, name, USER_SOCKPTR(val), USER_SOCKPTR(lenp));
	if (level != SOL_ECCP)
		return -ENOPROTOOPT;
	if (get_user(len, lenp))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	len = min_t(int, len, SHIM_MAX_OPTION);
	buf = kzalloc(SHIM_MAX_OPTION, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	err = eccp_rust_getsockopt(sock->sk, name, buf, len);
	if (err >= 0)
		err = put_user(err, lenp) || copy_to_user(val, buf, err) ? -EFAULT : 0;
	kfree(buf);
	return err;
}

/* Until the connection is there, sending and receiving wait for it. */
int shim_await(struct socket *sock, bool nonblock)
{
	if (likely(!READ_ONCE(shim_sock(sock->sk)->connecting)))
		return 0;
	return eccp_rust_wait_connected(sock->sk, nonblock);
}

int shim_stream_sendmsg(struct socket *sock, struct msghdr *m, size_t len)
{
	struct socket *inner = shim_inner(sock);
	int err = shim_await(sock, m->msg_flags & MSG_DONTWAIT);

	if (err)
		return err;
	if (m->msg_flags & MSG_FASTOPEN)
		return -EOPNOTSUPP;
	return inner->ops->sendmsg(inner, m, len);
}

int shim_recv_event(struct socket *sock, struct msghdr *m)
{
	struct eccp_path_event event;
	int err = eccp_rust_next_event(sock->sk, &event);

	if (err)
		return err;
	m->msg_flags |= MSG_ERRQUEUE;
	return put_cmsg(m, SOL_ECCP, ECCP_PATH_EVENTS, sizeof(event), &event);
}

int shim_stream_recvmsg(struct socket *sock, struct msghdr *m, size_t len, int flags)
{
	struct socket *inner = shim_inner(sock);
	int err;

	if (flags & MSG_ERRQUEUE) {
		err = shim_recv_event(sock, m);
		/* What is left is the endpoint's: completions of MSG_ZEROCOPY, time stamps. */
		return err == -EAGAIN ? inner->ops->recvmsg(inner, m, len, flags) : err;
	}
	err = shim_await(sock, flags & MSG_DONTWAIT);
	return err ?: inner->ops->recvmsg(inner, m, len, flags);
}

static ssize_t shim_splice_read(struct socket *sock, loff_t *pos, struct pipe_inode_info *pipe, size_t len,
				unsigned int flags)
{
	struct socket *inner = shim_inner(sock);

	return inner->ops->splice_read(inner, pos, pipe, len, flags);
}

static void shim_splice_eof(struct socket *sock)
{
	struct socket *inner = shim_inner(sock);

	inner->ops->splice_eof(inner);
}

int shim_set_peek_off(struct sock *sk, int val)
{
	struct socket *inner = shim_sock(sk)->inner;

	return inner->ops->set_peek_off(inner->sk, val);
}

static const struct proto_ops shim_stream_ops = {
	.family = PF_ECCP,
	.owner = THIS_MODULE,
	.release = shim_release,
	.bind = shim_bind,
	.connect = shim_connect,
	.socketpair = sock_no_socketpair,
	.accept = shim_accept,
	.getname = shim_getname,
	.poll = shim_poll,
	.ioctl = shim_ioctl,
	.gettstamp = shim_gettstamp,
	.listen = shim_listen,
	.shutdown = shim_stream_shutdown,
	.setsockopt = shim_setsockopt,
	.getsockopt = shim_getsockopt,
	.sendmsg = shim_stream_sendmsg,
	.recvmsg = shim_stream_recvmsg,
	.mmap = sock_no_mmap,
	.splice_read = shim_splice_read,
	.splice_eof = shim_splice_eof,
	.set_peek_off = shim_set_peek_off,
};

static struct net_proto_family shim_pf = {
	.create = shim_create,
	.owner = THIS_MODULE,
};

int shim_family_register(void)
{
	int err = proto_register(&shim_proto, 1);

	if (err)
		return err;
	shim_pf.family = shim_family;
	err = sock_register(&shim_pf);
	if (err)
		proto_unregister(&shim_proto);
	return err;
}

/* sock_unregister() waits for sockets in creation; live ones pin the module. */
void shim_family_unregister(void)
{
	sock_unregister(shim_family);
	proto_unregister(&shim_proto);
}

void *shim_sk_state(struct sock *sk)
{
	return shim_sock(sk)->state;
}

void shim_sk_set_state(struct sock *sk, void *state)
{
	shim_sock(sk)->state = state;
}

struct socket *shim_sk_inner(struct sock *sk)
{
	return shim_sock(sk)->inner;
}

/* The endpoint of an accepted connection belongs to its flow. */
void shim_sk_set_inner(struct sock *sk, struct socket *inner)
{
	shim_sock(sk)->inner = inner;
	shim_sock(sk)->lent = true;
}

/* The endpoint, if the socket has not lent it to a connection; it has then. */
struct socket *shim_sk_take_inner(struct sock *sk)
{
	struct shim_sock *s = shim_sock(sk);

	if (s->lent)
		return NULL;
	s->lent = true;
	return s->inner;
}

void shim_sk_give_inner(struct sock *sk)
{
	shim_sock(sk)->lent = false;
}

void shim_sk_set_connecting(struct sock *sk, bool connecting)
{
	WRITE_ONCE(shim_sock(sk)->connecting, connecting);
}

bool shim_sk_is_connecting(struct sock *sk)
{
	return READ_ONCE(shim_sock(sk)->connecting);
}

void shim_sk_set_listening(struct sock *sk, bool listening)
{
	WRITE_ONCE(shim_sock(sk)->listening, listening);
}

void shim_sk_error(struct sock *sk, int err)
{
	WRITE_ONCE(sk->sk_err, err);
}

int shim_sk_take_error(struct sock *sk)
{
	return sock_error(sk);
}

void shim_sk_wake(struct sock *sk)
{
	sk->sk_state_change(sk);
	sk->sk_data_ready(sk);
	sk->sk_write_space(sk);
}

void shim_sk_set_event(struct sock *sk, bool waiting)
{
	struct socket_wq *wq;

	WRITE_ONCE(shim_sock(sk)->event_waiting, waiting);
	if (!waiting)
		return;
	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_poll(&wq->wait, EPOLLPRI);
	rcu_read_unlock();
}

void shim_sk_hold(struct sock *sk)
{
	sock_hold(sk);
}

void shim_sk_put(struct sock *sk)
{
	sock_put(sk);
}

struct net *shim_sk_net(struct sock *sk)
{
	return sock_net(sk);
}

u32 shim_sk_bound_dev(struct sock *sk)
{
	return READ_ONCE(sk->sk_bound_dev_if);
}

long shim_sk_timeout(struct sock *sk, bool nonblock, bool receive)
{
	return receive ? sock_rcvtimeo(sk, nonblock) : sock_sndtimeo(sk, nonblock);
}

/* Sleeps until @ready says so, a signal comes or the time is up. */
int shim_sk_wait_until(struct sock *sk, bool (*ready)(struct sock *sk), long *timeout)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	add_wait_queue(sk_sleep(sk), &wait);
	while (!ready(sk)) {
		if (!*timeout) {
			err = -EAGAIN;
			break;
		}
		if (signal_pending(current)) {
			err = sock_intr_errno(*timeout);
			break;
		}
		*timeout = wait_woken(&wait, TASK_INTERRUPTIBLE, *timeout);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

int shim_sk_wait(struct sock *sk, long *timeout)
{
	return shim_sk_wait_until(sk, eccp_rust_ready, timeout);
}

/* 1 and the time to linger when SO_LINGER is set, else 0. */
int shim_sk_linger(struct sock *sk, long *timeout)
{
	*timeout = READ_ONCE(sk->sk_lingertime);
	return sock_flag(sk, SOCK_LINGER);
}

u32 shim_sk_uid(struct sock *sk)
{
	return from_kuid_munged(sock_net(sk)->user_ns, sk_uid(sk));
}

bool shim_may_bind_port(struct net *net, u16 port)
{
	return !inet_port_requires_bind_service(net, port) || ns_capable(net->user_ns, CAP_NET_BIND_SERVICE);
}

int shim_socket_state(struct socket *sock)
{
	return sock->state;
}

void shim_socket_set_state(struct socket *sock, int state)
{
	sock->state = state;
}
