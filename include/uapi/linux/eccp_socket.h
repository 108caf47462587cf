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

#define ECCP_PSK_LEN		32

/* Shortest address that is accepted: everything but the service identifier. */
#define ECCP_SOCKADDR_MIN_LEN	32

/**
 * struct sockaddr_eccp - a service at an address
 * @seccp_family: AF_ECCP
 * @seccp_port: service as a port number, when @seccp_service is all zero
 * @seccp_flags: none is defined; must be zero
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
 * @reserved: zero
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
	__u32		reserved;
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

#endif /* _UAPI_LINUX_ECCP_SOCKET_H */
