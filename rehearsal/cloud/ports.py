"""Ports for servers that bind theirs themselves, and are told by number which one it is."""

from __future__ import annotations

import socket

LOOPBACK = "127.0.0.1"


def reserved_port() -> int:
    """A free port that the kernel gives nobody else for a minute, though the server that is started now may bind it.

    A port that is only looked up and let go may be somebody's a moment later: another server's, or one end of a
    connection. A closed connection leaves its port in TIME_WAIT. There the kernel picks it for nobody, and a server
    that sets SO_REUSEADDR, as servers do, may bind it. https://man7.org/linux/man-pages/man7/socket.7.html
    """
    with socket.create_server((LOOPBACK, 0), backlog=1) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)):
            accepted, _address = server.accept()
            accepted.close()  # who closes first keeps the port in TIME_WAIT
    return port
