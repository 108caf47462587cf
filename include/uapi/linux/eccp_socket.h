/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * Sockets of the family AF_ECCP: numbers, address, options. eccp(7) describes
 * how each system call uses them.
 */
#ifndef _UAPI_LINUX_ECCP_SOCKET_H
#define _UAPI_LINUX_ECCP_SOCKET_H

#include <linux/eccp.h>
#include <linux/socket.h>
#include <linux/types.h>

/* The kernel's own bound on family numbers leaves a module only those whose
 * protocol is gone. The module parameter "family" selects another one, and
 * info-get tells which one is in use.
 */
#define AF_ECCP			18
#define PF_ECCP			AF_ECCP

#define SOL_ECCP		318

/* Options at level SOL_ECCP. */
#define ECCP_INFO		1	/* get: struct eccp_info */
#define ECCP_MOVE		2	/* set: struct eccp_move */
#define ECCP_PSK		3	/* set: ECCP_PSK_LEN bytes, before connect or listen */

#define ECCP_FLOWS		4	/* get: struct eccp_flow_info for each flow */
#define ECCP_FLOW_ADD		5	/* set: struct eccp_flow_add */
#define ECCP_FLOW_REMOVE	6	/* set: local flow ID, __u64 */
#define ECCP_FLOW_MOVE		7	/* set: struct eccp_flow_move */
#define ECCP_FLOW_PREFER	8	/* set: local flow ID, __u64 */
#define ECCP_DATAGRAM_MAX	16	/* get: __u32, largest datagram in bytes; SOCK_DGRAM */
#define ECCP_PATH_EVENTS	9	/* get, set: kinds of events wanted, __u32 with bits 1 << kind */

#define ECCP_MODE		17	/* set, before connect or listen; get: __u32, ECCP_MODE_SINGLE and so on */

/* How a stream uses the paths that there are. */
#define ECCP_MODE_SINGLE	0	/* one at a time */
#define ECCP_MODE_AGGREGATE	1	/* all of them for throughput, if the peer does so too */
#define ECCP_MODE_REDUNDANT	2	/* as before, and what this host sends goes along each of them */
#define ECCP_MODE_REQUIRED	256	/* flag in connect: without the peer there is no connection */

#define ECCP_PSK_LEN		32

/* Most flows of a connection, and so most entries that ECCP_FLOWS writes. */
#define ECCP_MAX_FLOWS		4

/* Flags of a flow. ECCP_FLOW_BACKUP alone may be set by eccp_flow_add. */
#define ECCP_FLOW_BACKUP	1	/* carries data only when no other flow can */
#define ECCP_FLOW_ACTIVE	2	/* carries the data that this host sends now */
#define ECCP_FLOW_DRAINING	4	/* is over and only answers late packets */
#define ECCP_FLOW_USABLE	8	/* has a path for data now */

/* Kinds of path events. */
#define ECCP_PATH_LOST		0	/* the queue was full: look at the flows anew */
#define ECCP_PATH_MOVING	1	/* a move of this host began */
#define ECCP_PATH_MOVED		2	/* it is done */
#define ECCP_PATH_PEER_MOVED	3	/* the peer has another address */
#define ECCP_PATH_SUSPENDED	4	/* there is no address: data waits for one */
#define ECCP_PATH_FAILED	5	/* a move of this host came to nothing */
#define ECCP_PATH_FLOW_ADDED	6	/* a flow can carry data */
#define ECCP_PATH_FLOW_REMOVED	7	/* a flow is gone */
#define ECCP_PATH_ADDRESS_GONE	8	/* this host lost the address of a flow */
#define ECCP_PATH_ACTIVE	9	/* data of this host goes along this flow now */
#define ECCP_PATH_RENAMED	10	/* the flow has another local ID */
#define ECCP_PATH_LAST_KIND	10

/* Shortest address that is accepted: everything but the service identifier. */
#define ECCP_SOCKADDR_MIN_LEN	32

/* Flag of an address by which recvfrom() names a peer that came to a SOCK_DGRAM
 * socket by itself. Its last four bytes are the number of the peer at this
 * socket, in network byte order; sendto() goes by them alone. @seccp_addr is
 * where the peer was at the time.
 */
#define ECCP_SOCKADDR_PEER	1

/**
 * struct sockaddr_eccp - a service at an address
 * @seccp_family: AF_ECCP
 * @seccp_port: service as a port number, when @seccp_service is all zero
 * @seccp_flags: zero, or ECCP_SOCKADDR_PEER
 * @seccp_scope_id: interface of a link-local IPv6 address, else zero
 * @seccp_reserved: must be zero
 * @seccp_addr: IPv6 address, or IPv4 address as ::ffff:a.b.c.d; all zero is
 *	"any address of this host" in bind()
 * @seccp_service: service as an identifier; all zero means that @seccp_port
 *	names the service. A caller may leave it out by passing
 *	ECCP_SOCKADDR_MIN_LEN as the length.
 */
struct sockaddr_eccp {
	__kernel_sa_family_t	seccp_family;
	__be16			seccp_port;
	__u32			seccp_flags;
	__u32			seccp_scope_id;
	__be32			seccp_reserved;
	__u8			seccp_addr[16];
	__u8			seccp_service[ECCP_SERVICE_ID_LEN];
};

/**
 * struct eccp_info - what ECCP_INFO reads
 * @connection_id: name of the connection on this host
 * @local_connection_version: version of the list of local addresses
 * @remote_connection_version: newest version of the peer's list
 * @local_flow_id: flow ID by which the peer addresses this host
 * @remote_flow_id: flow ID by which this host addresses the peer
 * @local_flow_version: version of the local address
 * @remote_flow_version: version of the remote address in use
 * @state: enum eccp_flow_state
 * @encap: enum eccp_encap
 * @ifindex: interface by which the path leaves
 * @rtt_us: smoothed round-trip time in microseconds
 * @mtu: path MTU in bytes
 * @flows: number of flows of the connection
 * @moves: completed moves of either side of this flow
 * @reason: enum eccp_reason of the last move, or zero
 * @local_addr: local address, IPv4 as ::ffff:a.b.c.d
 * @remote_addr: remote address, IPv4 as ::ffff:a.b.c.d
 * @candidate_addr: where an unfinished move leads to, or all zero
 * @local_port: local UDP port, or zero when the path is native
 * @remote_port: remote UDP port, or zero when the path is native
 * @members: connections that the stream takes at present (ECCP_MODE), zero if it
 *	takes one path at a time
 *
 * The flow is the one that carries the data. Later versions add fields at the
 * end; the kernel writes as much as the caller's length allows and returns the
 * length written.
 */
struct eccp_info {
	__aligned_u64	connection_id;
	__aligned_u64	local_connection_version;
	__aligned_u64	remote_connection_version;
	__aligned_u64	local_flow_id;
	__aligned_u64	remote_flow_id;
	__aligned_u64	local_flow_version;
	__aligned_u64	remote_flow_version;
	__u32		state;
	__u32		encap;
	__u32		ifindex;
	__u32		rtt_us;
	__u32		mtu;
	__u32		flows;
	__u32		moves;
	__u32		reason;
	__u8		local_addr[16];
	__u8		remote_addr[16];
	__u8		candidate_addr[16];
	__be16		local_port;
	__be16		remote_port;
	__u32		members;
};

/**
 * struct eccp_move - what ECCP_MOVE sets
 * @addr: local address to move to, IPv4 as ::ffff:a.b.c.d; all zero lets the
 *	kernel select an address of @ifindex
 * @ifindex: interface to move to, or zero when @addr alone decides
 * @reserved: must be zero
 */
struct eccp_move {
	__u8		addr[16];
	__u32		ifindex;
	__u32		reserved;
};

/**
 * struct eccp_flow_info - one flow of a connection, as ECCP_FLOWS reads it
 * @local_id: flow ID by which the peer addresses this host; names the flow
 * @remote_id: flow ID by which this host addresses the peer; 0 if not known yet
 * @local_version: version of the local address
 * @remote_version: version of the remote address in use
 * @rx_packets: packets received on the flow
 * @rx_bytes: bytes received, from the ECCP header on
 * @tx_packets: packets sent on the flow
 * @tx_bytes: bytes sent, from the ECCP header on
 * @state: enum eccp_flow_state
 * @flags: ECCP_FLOW_BACKUP and so on
 * @encap: enum eccp_encap
 * @ifindex: interface by which the path leaves, or zero
 * @rtt_us: smoothed round-trip time in microseconds
 * @moves: completed moves of either side
 * @reason: enum eccp_reason of the last move, or zero
 * @reserved: zero
 * @local_addr: local address, IPv4 as ::ffff:a.b.c.d
 * @remote_addr: remote address, IPv4 as ::ffff:a.b.c.d
 * @candidate_addr: where an unfinished move leads to, or all zero
 * @local_port: local UDP port, or zero when the path is native
 * @remote_port: remote UDP port, or zero when the path is native
 * @reserved2: zero
 *
 * The kernel writes as many whole entries as the caller's length allows and
 * returns the length written. The flow that carries the data comes first.
 */
struct eccp_flow_info {
	__aligned_u64	local_id;
	__aligned_u64	remote_id;
	__aligned_u64	local_version;
	__aligned_u64	remote_version;
	__aligned_u64	rx_packets;
	__aligned_u64	rx_bytes;
	__aligned_u64	tx_packets;
	__aligned_u64	tx_bytes;
	__u32		state;
	__u32		flags;
	__u32		encap;
	__u32		ifindex;
	__u32		rtt_us;
	__u32		moves;
	__u32		reason;
	__u32		reserved;
	__u8		local_addr[16];
	__u8		remote_addr[16];
	__u8		candidate_addr[16];
	__be16		local_port;
	__be16		remote_port;
	__u32		reserved2;
};

/**
 * struct eccp_flow_add - what ECCP_FLOW_ADD sets
 * @addr: local address of the new flow, IPv4 as ::ffff:a.b.c.d; all zero lets
 *	the kernel select an address of @ifindex
 * @remote: address of the peer to try first, IPv4 as ::ffff:a.b.c.d; all zero
 *	leaves it to the kernel
 * @ifindex: interface of @addr, or zero when @addr alone decides
 * @flags: ECCP_FLOW_BACKUP or zero
 * @remote_port: UDP port of ECCP at @remote; zero takes that of this host
 * @reserved: must be zero
 *
 * The call returns as soon as the first packet of the set-up is on its way.
 */
struct eccp_flow_add {
	__u8		addr[16];
	__u8		remote[16];
	__u32		ifindex;
	__u32		flags;
	__be16		remote_port;
	__u8		reserved[6];
};

/**
 * struct eccp_flow_move - what ECCP_FLOW_MOVE sets
 * @flow_id: local ID of the flow to move
 * @to: where to
 */
struct eccp_flow_move {
	__aligned_u64		flow_id;
	struct eccp_move	to;
};

/**
 * struct eccp_path_event - something that happened to a path of the connection
 * @kind: ECCP_PATH_MOVING and so on
 * @reason: enum eccp_reason of a failure or an end, or zero
 * @flow_id: local ID of the flow; zero for ECCP_PATH_LOST
 * @version: version of the address that the event is about; ECCP_PATH_RENAMED: the
 *	local ID that the flow had before
 * @duration_us: ECCP_PATH_MOVED: from the command or the loss of the address to
 *	the answer, in microseconds
 * @lost: ECCP_PATH_LOST: how many events there was no room for
 * @reserved: zero
 * @old_addr: address that is left or lost; ECCP_PATH_FLOW_ADDED and
 *	ECCP_PATH_ACTIVE: the peer's. IPv4 as ::ffff:a.b.c.d, all zero if there is none
 * @new_addr: address that takes its place; ECCP_PATH_FLOW_ADDED and
 *	ECCP_PATH_ACTIVE: this host's
 *
 * While an event waits, poll() reports POLLPRI. recvmsg() with MSG_ERRQUEUE takes
 * the oldest one, as a control message of level SOL_ECCP and type
 * ECCP_PATH_EVENTS. After ECCP_PATH_LOST was due, nothing is kept until it has
 * been read.
 */
struct eccp_path_event {
	__u32		kind;
	__u32		reason;
	__aligned_u64	flow_id;
	__aligned_u64	version;
	__aligned_u64	duration_us;
	__u32		lost;
	__u32		reserved;
	__u8		old_addr[16];
	__u8		new_addr[16];
};

#endif /* _UAPI_LINUX_ECCP_SOCKET_H */
