// SPDX-License-Identifier: GPL-2.0
/* Network namespaces: the UDP sockets, control queues and addresses of each. */
#include <linux/inetdevice.h>
#include <net/addrconf.h>
#include <net/if_inet6.h>

#include "internal.h"

unsigned int shim_net_id;

struct shim_queued {
	u32 kind;
};

static void shim_control_run(struct work_struct *w)
{
	struct shim_net *sn = container_of(w, struct shim_net, control_work);

	eccp_rust_work(sn, 0);
}

static void shim_address_run(struct work_struct *w)
{
	struct shim_net *sn = container_of(w, struct shim_net, address_work);

	eccp_rust_addresses_changed(sn);
}

/* The route by which an unwrapped packet enters TCP: local, from nowhere. */
static struct rtable *shim_inside_route(struct net *net)
{
	struct rtable *rt = rt_dst_alloc(net->loopback_dev, RTCF_LOCAL, RTN_LOCAL, true);

	if (rt) {
		rt->dst.flags |= DST_NOPOLICY;
		rt->rt_iif = SHIM_NOWHERE;
	}
	return rt;
}

static int __net_init shim_net_init(struct net *net)
{
	struct shim_net *sn = net_generic(net, shim_net_id);
	int err;

	sn->net = net;
	for (int i = 0; i < SHIM_QUEUES; i++)
		skb_queue_head_init(&sn->queues[i]);
	INIT_WORK(&sn->control_work, shim_control_run);
	INIT_WORK(&sn->address_work, shim_address_run);
	sn->inside = shim_inside_route(net);
	if (!sn->inside)
		return -ENOMEM;
	err = eccp_rust_net_init(sn);
	if (err)
		dst_release(&sn->inside->dst);
	return err;
}

/* Hides the state; a grace period passes between this and shim_net_exit(). */
static void __net_exit shim_net_pre_exit(struct net *net)
{
	struct shim_net *sn = net_generic(net, shim_net_id);

	shim_router_set(net, 0);
	sn->leaving = READ_ONCE(sn->state);
	WRITE_ONCE(sn->state, NULL);
}

static void __net_exit shim_net_exit(struct net *net)
{
	struct shim_net *sn = net_generic(net, shim_net_id);

	shim_net_close_udp(net);
	cancel_work_sync(&sn->control_work);
	cancel_work_sync(&sn->address_work);
	for (int i = 0; i < SHIM_QUEUES; i++)
		skb_queue_purge(&sn->queues[i]);
	eccp_rust_net_exit(sn->leaving);
	dst_release(&sn->inside->dst);
}

/* Device operations, not subsystem ones: the loopback device must exist before and after. */
static struct pernet_operations shim_net_ops = {
	.init = shim_net_init,
	.pre_exit = shim_net_pre_exit,
	.exit = shim_net_exit,
	.id = &shim_net_id,
	.size = sizeof(struct shim_net),
};

void *shim_net_state(struct net *net)
{
	struct shim_net *sn = net_generic(net, shim_net_id);

	return READ_ONCE(sn->state);
}

void shim_net_set_state(struct shim_net *sn, void *state)
{
	sn->state = state;
}

struct net *shim_net_of(struct shim_net *sn)
{
	return sn->net;
}

static int shim_open_udp(struct net *net, int family, u16 port, struct socket **result)
{
	struct sockaddr_storage name = { .ss_family = family };
	struct udp_sock *up;
	struct socket *sock;
	int err, len;

	err = sock_create_kern(net, family, SOCK_DGRAM, IPPROTO_UDP, &sock);
	if (err)
		return err;
	if (family == AF_INET) {
		((struct sockaddr_in *)&name)->sin_port = htons(port);
		len = sizeof(struct sockaddr_in);
	} else {
		((struct sockaddr_in6 *)&name)->sin6_port = htons(port);
		len = sizeof(struct sockaddr_in6);
		sock->sk->sk_ipv6only = 1;
	}
	err = kernel_bind(sock, (void *)&name, len);
	if (err) {
		sock_release(sock);
		return err;
	}
	/* As setup_udp_tunnel_sock() does, which lives in a module of its own. */
	inet_inc_convert_csum(sock->sk);
	up = udp_sk(sock->sk);
	up->encap_type = 1;
	up->encap_rcv = shim_udp_rcv;
	up->gro_receive = shim_udp_gro_receive;
	up->gro_complete = shim_udp_gro_complete;
	udp_tunnel_encap_enable(sock->sk);
	udp_tunnel_update_gro_rcv(sock->sk, true);
	udp_tunnel_update_gro_lookup(net, sock->sk, true);
	*result = sock;
	return 0;
}

static void shim_close_udp(struct socket **sock)
{
	if (!*sock)
		return;
	kernel_sock_shutdown(*sock, SHUT_RDWR);
	sock_release(*sock); /* takes back the GRO registrations as well */
	*sock = NULL;
}

int shim_net_open_udp(struct net *net, u16 port)
{
	struct shim_net *sn = net_generic(net, shim_net_id);
	int err = shim_open_udp(net, AF_INET, port, &sn->udp4);

	if (err)
		return err;
	err = shim_open_udp(net, AF_INET6, port, &sn->udp6);
	if (err == -EAFNOSUPPORT)
		err = 0; /* a host without IPv6 */
	if (err)
		shim_close_udp(&sn->udp4);
	return err;
}

void shim_net_close_udp(struct net *net)
{
	struct shim_net *sn = net_generic(net, shim_net_id);

	shim_close_udp(&sn->udp4);
	shim_close_udp(&sn->udp6);
}

/* Queues a control packet for process context; false: the queue is full. */
bool shim_net_queue_control(struct net *net, struct sk_buff *skb, u32 kind, u32 place, u32 limit)
{
	struct shim_net *sn = net_generic(net, shim_net_id);
	struct sk_buff_head *queue = &sn->queues[place];
	bool ok;

	skb_dst_drop(skb);
	spin_lock_bh(&queue->lock);
	ok = skb_queue_len(queue) < limit;
	if (ok) {
		((struct shim_queued *)skb->cb)->kind = kind;
		__skb_queue_tail(queue, skb);
	}
	spin_unlock_bh(&queue->lock);
	if (ok)
		queue_work(shim_wq, &sn->control_work);
	return ok;
}

u32 shim_net_waiting_syns(struct net *net)
{
	struct shim_net *sn = net_generic(net, shim_net_id);

	return skb_queue_len_lockless(&sn->queues[SHIM_QUEUE_OPENING]);
}

struct sk_buff *shim_net_next_control(struct shim_net *sn, u32 *kind)
{
	struct sk_buff *skb = NULL;

	for (int i = 0; i < SHIM_QUEUES && !skb; i++)
		skb = skb_dequeue(&sn->queues[i]);
	if (skb)
		*kind = ((struct shim_queued *)skb->cb)->kind;
	return skb;
}

void shim_net_kick(struct net *net)
{
	struct shim_net *sn = net_generic(net, shim_net_id);

	if (READ_ONCE(sn->state))
		queue_work(shim_wq, &sn->address_work);
}

/* Whether a route's link has a carrier. The kernel tells of a lost one up to a second later, this at once. */
bool shim_net_carries(struct net *net, const struct dst_entry *dst)
{
	if (likely(netif_carrier_ok(dst->dev)))
		return true;
	shim_net_kick(net);
	return false;
}

static u32 shim_list_ipv4(struct net_device *dev, struct shim_address *list, u32 n, u32 max)
{
	struct in_device *in = __in_dev_get_rcu(dev);
	const struct in_ifaddr *ifa;

	if (!in)
		return n;
	in_dev_for_each_ifa_rcu(ifa, in) {
		if (n == max)
			break;
		memset(&list[n], 0, sizeof(list[n]));
		ipv6_addr_set_v4mapped(ifa->ifa_local, (struct in6_addr *)list[n].addr);
		list[n].ifindex = dev->ifindex;
		memcpy(list[n].name, dev->name, sizeof(list[n].name));
		list[n].local_scope = ifa->ifa_scope >= RT_SCOPE_LINK;
		n++;
	}
	return n;
}

static u32 shim_list_ipv6(struct net_device *dev, struct shim_address *list, u32 n, u32 max)
{
	struct inet6_dev *in6 = __in6_dev_get(dev);
	const struct inet6_ifaddr *ifa;

	if (!in6)
		return n;
	read_lock_bh(&in6->lock);
	list_for_each_entry(ifa, &in6->addr_list, if_list) {
		if (n == max)
			break;
		if (ifa->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) && !(ifa->flags & IFA_F_OPTIMISTIC))
			continue;
		memset(&list[n], 0, sizeof(list[n]));
		memcpy(list[n].addr, &ifa->addr, 16);
		list[n].ifindex = dev->ifindex;
		memcpy(list[n].name, dev->name, sizeof(list[n].name));
		list[n].v6 = 1;
		list[n].local_scope = !!(ipv6_addr_type(&ifa->addr) & (IPV6_ADDR_LINKLOCAL | IPV6_ADDR_LOOPBACK));
		n++;
	}
	read_unlock_bh(&in6->lock);
	return n;
}

static_assert(sizeof_field(struct shim_address, name) == IFNAMSIZ);

/* The addresses from which a packet could leave now. */
u32 shim_net_addresses(struct net *net, struct shim_address *list, u32 max)
{
	struct net_device *dev;
	u32 n = 0;

	rcu_read_lock();
	for_each_netdev_rcu(net, dev) {
		u32 first = n;

		if (!netif_running(dev) || !netif_carrier_ok(dev))
			continue;
		n = shim_list_ipv4(dev, list, n, max);
		n = shim_list_ipv6(dev, list, n, max);
		if (dev->flags & IFF_LOOPBACK)
			while (first < n)
				list[first++].local_scope = 1;
	}
	rcu_read_unlock();
	return n;
}

static int shim_device_event(struct notifier_block *nb, unsigned long event, void *info)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);

	if (event == NETDEV_UP || event == NETDEV_DOWN || event == NETDEV_CHANGE || event == NETDEV_UNREGISTER)
		shim_net_kick(dev_net(dev));
	return NOTIFY_DONE;
}

static int shim_ipv4_event(struct notifier_block *nb, unsigned long event, void *info)
{
	const struct in_ifaddr *ifa = info;

	shim_net_kick(dev_net(ifa->ifa_dev->dev));
	return NOTIFY_DONE;
}

static int shim_ipv6_event(struct notifier_block *nb, unsigned long event, void *info)
{
	const struct inet6_ifaddr *ifa = info;

	shim_net_kick(dev_net(ifa->idev->dev));
	return NOTIFY_DONE;
}

static struct notifier_block shim_device_nb = { .notifier_call = shim_device_event };
static struct notifier_block shim_ipv4_nb = { .notifier_call = shim_ipv4_event };
static struct notifier_block shim_ipv6_nb = { .notifier_call = shim_ipv6_event };

int shim_net_register(void)
{
	int err = register_pernet_device(&shim_net_ops);

	if (err)
		return err;
	err = register_netdevice_notifier(&shim_device_nb);
	if (err) {
		unregister_pernet_device(&shim_net_ops);
		return err;
	}
	register_inetaddr_notifier(&shim_ipv4_nb);
	register_inet6addr_notifier(&shim_ipv6_nb);
	return 0;
}

void shim_net_unregister(void)
{
	unregister_inet6addr_notifier(&shim_ipv6_nb);
	unregister_inetaddr_notifier(&shim_ipv4_nb);
	unregister_netdevice_notifier(&shim_device_nb);
	unregister_pernet_device(&shim_net_ops);
}
