// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * An echo server and a client of it that moves itself and tells what happens
 * to its path.
 *
 *   cc -I include/uapi docs/examples/echo.c -o echo
 *   echo serve PORT
 *   echo ask HOST PORT ADDRESS...     moves to one address after the other
 *
 * Addresses are IPv6, or IPv4 as ::ffff:a.b.c.d.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/eccp_socket.h>

#define PATIENCE_MS 10000
#define EVERYTHING ((2u << ECCP_PATH_LAST_KIND) - 2)

static const char *const kinds[] = {
	"lost",	  "moving",	"moved",	"peer moved",	"suspended",
	"failed", "flow added", "flow removed", "address gone", "active", "renamed",
};

static void parse(const char *text, unsigned char to[16])
{
	if (inet_pton(AF_INET6, text, to) != 1)
		errx(1, "%s is no IPv6 address", text);
}

/* Prints all events that wait; a bit for each kind. */
static unsigned int tell(const char *who, int fd)
{
	unsigned int seen = 0;

	for (;;) {
		char control[CMSG_SPACE(sizeof(struct eccp_path_event))];
		struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
		char old[INET6_ADDRSTRLEN], new[INET6_ADDRSTRLEN];
		struct eccp_path_event event;
		struct cmsghdr *cmsg;

		if (recvmsg(fd, &msg, MSG_ERRQUEUE) < 0) {
			if (errno == EAGAIN)
				return seen;
			err(1, "recvmsg");
		}
		cmsg = CMSG_FIRSTHDR(&msg);
		if (!cmsg || cmsg->cmsg_level != SOL_ECCP || cmsg->cmsg_type != ECCP_PATH_EVENTS)
			errx(1, "something else is in the error queue");
		memcpy(&event, CMSG_DATA(cmsg), sizeof(event));
		inet_ntop(AF_INET6, event.old_addr, old, sizeof(old));
		inet_ntop(AF_INET6, event.new_addr, new, sizeof(new));
		printf("%s: %s, flow %#llx, version %llu, from %s to %s, %llu us\n", who,
		       event.kind <= ECCP_PATH_LAST_KIND ? kinds[event.kind] : "other",
		       (unsigned long long)event.flow_id, (unsigned long long)event.version, old, new,
		       (unsigned long long)event.duration_us);
		fflush(stdout);
		if (event.kind < 32)
			seen |= 1u << event.kind;
	}
}

static short wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLPRI };

	if (poll(&p, 1, PATIENCE_MS) != 1)
		errx(1, "nothing happens");
	return p.revents;
}

static void watch(int fd)
{
	__u32 wanted = EVERYTHING;

	if (setsockopt(fd, SOL_ECCP, ECCP_PATH_EVENTS, &wanted, sizeof(wanted)))
		err(1, "ECCP_PATH_EVENTS");
}

static void serve(const char *port)
{
	struct sockaddr_eccp any = { .seccp_family = AF_ECCP, .seccp_port = htons(atoi(port)) };
	int listener = socket(AF_ECCP, SOCK_STREAM, 0);
	char buf[4096];
	ssize_t len;
	int fd;

	if (listener < 0)
		err(1, "socket");
	if (bind(listener, (struct sockaddr *)&any, ECCP_SOCKADDR_MIN_LEN) || listen(listener, 8))
		err(1, "bind or listen");
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		err(1, "accept");
	watch(fd);
	for (;;) {
		short ready = wait_for(fd);

		if (ready & POLLPRI)
			tell("server", fd);
		if (!(ready & (POLLIN | POLLHUP | POLLERR)))
			continue;
		len = recv(fd, buf, sizeof(buf), 0);
		if (len < 0)
			err(1, "recv");
		if (len == 0)
			return;
		if (send(fd, buf, len, MSG_NOSIGNAL) != len)
			err(1, "send");
	}
}

/* Sends a line and waits until it is back. */
static void echo(int fd)
{
	static const char line[] = "are you there?";
	char answer[sizeof(line)];

	if (send(fd, line, sizeof(line), MSG_NOSIGNAL) != sizeof(line))
		err(1, "send");
	if (recv(fd, answer, sizeof(answer), MSG_WAITALL) != sizeof(answer))
		err(1, "recv");
	if (memcmp(line, answer, sizeof(line)))
		errx(1, "another answer came back");
	puts("client: echo");
}

static void ask(const char *host, const char *port, char **addresses)
{
	struct sockaddr_eccp to = { .seccp_family = AF_ECCP, .seccp_port = htons(atoi(port)) };
	struct eccp_info info;
	socklen_t len = sizeof(info);
	char text[INET6_ADDRSTRLEN];
	int fd = socket(AF_ECCP, SOCK_STREAM, 0);

	if (fd < 0)
		err(1, "socket");
	parse(host, to.seccp_addr);
	if (connect(fd, (struct sockaddr *)&to, ECCP_SOCKADDR_MIN_LEN))
		err(1, "connect");
	watch(fd);
	echo(fd);
	for (; *addresses; addresses++) {
		struct eccp_move move = { .ifindex = 0 };

		parse(*addresses, move.addr);
		if (setsockopt(fd, SOL_ECCP, ECCP_MOVE, &move, sizeof(move)))
			err(1, "ECCP_MOVE to %s", *addresses);
		while (!(tell("client", fd) & 1u << ECCP_PATH_MOVED))
			if (!(wait_for(fd) & POLLPRI))
				errx(1, "no event of the move to %s", *addresses);
		echo(fd);
	}
	if (getsockopt(fd, SOL_ECCP, ECCP_INFO, &info, &len))
		err(1, "ECCP_INFO");
	inet_ntop(AF_INET6, info.local_addr, text, sizeof(text));
	printf("client: at %s after %u moves\n", text, info.moves);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(argv[2]);
	else if (argc >= 4 && !strcmp(argv[1], "ask"))
		ask(argv[2], argv[3], argv + 4);
	else
		errx(2, "usage: echo serve PORT | ask HOST PORT ADDRESS...");
	return 0;
}
