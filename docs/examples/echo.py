#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""An echo server and a client of it that moves itself and tells what happens to its path.

    echo.py serve PORT
    echo.py ask HOST PORT ADDRESS...     moves to one address after the other

Python's sockets refuse whatever could have an address of a family that they do not
know. So connect(), bind() and accept() are called through ctypes, and the socket
objects believe that their descriptors are of AF_INET6; all else is the socket module's.
"""

import ctypes
import ipaddress
import os
import select
import socket
import struct
import sys

AF_ECCP = 18
SOL_ECCP = 318
ECCP_MOVE = 2
ECCP_PATH_EVENTS = 9
KINDS = (
    "lost", "moving", "moved", "peer moved", "suspended", "failed",
    "flow added", "flow removed", "address gone", "active", "renamed",
)  # fmt: skip
MOVED = 2
# struct eccp_path_event
EVENT = struct.Struct("=IIQQQII16s16s")
PATIENCE_MS = 10_000

libc = ctypes.CDLL(None, use_errno=True)


def call(function, fd, *arguments):
    """Calls a function of libc and raises its errno."""
    result = function(fd.fileno(), *arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def mapped(address):
    """The 16 bytes of an IPv6 address, or of ::ffff:a.b.c.d for an IPv4 address."""
    ip = ipaddress.ip_address(address)
    return ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed


def printed(packed):
    ip = ipaddress.IPv6Address(packed)
    return str(ip.ipv4_mapped or ip)


def sockaddr(host, port):
    """The first 32 bytes of struct sockaddr_eccp: the service is the port."""
    head = struct.pack("=H", AF_ECCP) + struct.pack("!H", port)
    return head + bytes(12) + (mapped(host) if host else bytes(16))


def wrapped(fd):
    """A socket object for the descriptor of an AF_ECCP socket."""
    return socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 0, fileno=fd)


def eccp_socket():
    return wrapped(socket.socket(AF_ECCP, socket.SOCK_STREAM, 0).detach())


def watch(stream):
    """Asks for every kind of event."""
    kinds = sum(1 << kind for kind in range(1, len(KINDS)))
    stream.setsockopt(SOL_ECCP, ECCP_PATH_EVENTS, struct.pack("=I", kinds))


def events(stream):
    """Takes all events that wait."""
    while True:
        try:
            _, control, _, _ = stream.recvmsg(0, 256, socket.MSG_ERRQUEUE)
        except BlockingIOError:
            return
        for level, kind, data in control:
            if (level, kind) == (SOL_ECCP, ECCP_PATH_EVENTS):
                yield EVENT.unpack(data)


def tell(who, stream):
    """Prints all events that wait; their kinds."""
    seen = set()
    for kind, _, flow, version, microseconds, lost, _, old, new in events(stream):
        name = KINDS[kind] if kind < len(KINDS) else f"event {kind}"
        print(
            f"{who}: {name}, flow {flow:#x}, version {version}, "
            f"from {printed(old)} to {printed(new)}, {microseconds} us, {lost} lost",
            flush=True,
        )
        seen.add(kind)
    return seen


def wait(stream):
    poller = select.poll()
    poller.register(stream, select.POLLIN | select.POLLPRI)
    ready = poller.poll(PATIENCE_MS)
    if not ready:
        raise TimeoutError("nothing happens")
    return ready[0][1]


def serve(port):
    with eccp_socket() as listener:
        address = sockaddr(None, port)
        call(libc.bind, listener, address, len(address))
        call(libc.listen, listener, 8)
        fd = call(libc.accept, listener, None, None)
    with wrapped(fd) as stream:
        watch(stream)
        while True:
            ready = wait(stream)
            if ready & select.POLLPRI:
                tell("server", stream)
            if ready & ~select.POLLPRI:
                data = stream.recv(4096)
                if not data:
                    return
                stream.sendall(data)


def echo(stream):
    """Sends a line and waits until it is back."""
    line = b"are you there?"
    stream.sendall(line)
    answer = b""
    while len(answer) < len(line):
        part = stream.recv(len(line) - len(answer))
        if not part:
            raise ConnectionError("the server has closed")
        answer += part
    if answer != line:
        raise ValueError(f"{answer!r} came back")
    print("client: echo", flush=True)


def ask(host, port, addresses):
    with eccp_socket() as stream:
        address = sockaddr(host, port)
        call(libc.connect, stream, address, len(address))
        watch(stream)
        echo(stream)
        for target in addresses:
            move = mapped(target) + bytes(8)
            stream.setsockopt(SOL_ECCP, ECCP_MOVE, move)
            while MOVED not in tell("client", stream):
                wait(stream)
            echo(stream)
        print("client: done", flush=True)


def main(words):
    match words:
        case ["serve", port]:
            serve(int(port))
        case ["ask", host, port, *addresses]:
            ask(host, int(port), addresses)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
