"""A port for a server that is started in a moment is nobody else's until then."""

from __future__ import annotations

import errno
import socket

import pytest

from rehearsal.cloud.ports import LOOPBACK, reserved_port


def test_a_reserved_port_is_bound_by_a_server_and_by_nobody_who_only_looks_for_one() -> None:
    port = reserved_port()
    with socket.socket() as somebody, pytest.raises(OSError, match="in use") as refused:
        somebody.bind((LOOPBACK, port))
    assert refused.value.errno == errno.EADDRINUSE
    with socket.create_server((LOOPBACK, port)) as server:
        assert server.getsockname()[1] == port


def test_no_port_is_reserved_twice() -> None:
    ports = [reserved_port() for _ in range(200)]
    assert len(set(ports)) == len(ports)
