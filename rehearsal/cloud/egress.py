"""The way out of this machine for the programs that run in the cloud: to package registries, never to AWS.

Builds install packages and may fetch what they like; jobs and functions may too. What none of them may do is call
AWS itself: a program that lost `AWS_ENDPOINT_URL` would. So all of them get this proxy in their environment, as
lowest of their settings: whatever they set themselves counts more. It passes on every connection except those to
AWS's own addresses and to the addresses of metadata and container credentials, which it refuses, in words that say
what to look for. A name is looked up here, once, and the connection goes to an address that was found: a name for the
metadata address is refused like the address. Where this machine has a proxy of its own, connections go through that,
and it looks the names up.

A program that asks no proxy (raw sockets, an emptied environment) is not held back here, only in a network namespace.
What it would carry out are this cloud's keys, which AWS does not know.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import logging
import os
import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # the stubs forgot it

from botocore.loaders import Loader

from rehearsal.cloud.egress_names import Names

log = logging.getLogger(__name__)

HINT = "a-rehearsal-does-not-call-AWS--is-AWS_ENDPOINT_URL-set"
"""Stands in the proxy's address, because that is what an AWS SDK tells when a proxy refuses."""
ANOTHER_NAME = "{} is another name for {}, where this machine's credentials are: a rehearsal never asks for those"
REFUSED = "{} is AWS itself, which a rehearsal never calls: has the program lost AWS_ENDPOINT_URL?"
NO_PROXY = "127.0.0.1,localhost,::1"
NOWHERE = 9
"""A port on which nothing listens: before the cloud is started, there is no way out."""

SUFFIXES = {
    partition["outputs"][kind]
    for partition in Loader().load_data("partitions")["partitions"]
    for kind in ("dnsSuffix", "dualStackDnsSuffix")
}
"""Below what names the endpoints of every partition lie (China's, Europe's, the American agencies'), as botocore knows:
https://docs.aws.amazon.com/general/latest/gr/rande.html"""
AWS = re.compile(rf"(^|\.)({'|'.join(map(re.escape, sorted({*SUFFIXES, 'on.aws'})))})$")
"""`on.aws`: addresses of functions, https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html"""
FOR_EVERYBODY = re.compile(r"(\.d\.codeartifact\.[a-z0-9-]+|^awscli)\.amazonaws\.com$")
"""Registries and downloads below those names: CodeArtifact's repositories, the installer of the AWS CLI."""
METADATA_NAME = re.compile(r"^instance-data(\.ec2\.internal|\.[a-z0-9-]+\.compute\.internal)?$")
"""The metadata's name in a VPC's own DNS."""
METADATA = ("169.254.0.0/16", "fd00:ec2::/32")
"""https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html and, of containers,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html"""

REGISTRY = re.compile(r"https?://(?:[^/\s@]*@)?([^/\s:]+)")
HEAD_LIMIT = 65536
CHUNK = 65536
CONNECT_SECONDS = 30.0
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""https://www.rfc-editor.org/rfc/rfc6052: an IPv4 address in its last 32 bits."""


class Egress:
    """The proxy. `refused` and `reached` tell, host by host, what programs asked for."""

    def __init__(self, machine: Mapping[str, str] | None = None, names: Names | None = None) -> None:
        self.names = names or Names()
        given = os.environ if machine is None else machine
        self.proxies = {
            name.lower().removesuffix("_proxy"): value
            for name, value in sorted(given.items())  # the lower-case spelling comes last and counts
            if name.lower().endswith("_proxy") and value
        }
        told = " ".join(value for name, value in given.items() if name.startswith(("PIP_", "UV_")))
        self.registries = {host.lower() for host in REGISTRY.findall(told)}
        """Hosts that this machine installs packages from, whoever owns their domain."""
        self.refused: list[str] = []
        self.reached: set[str] = set()
        self._server: socketserver.ThreadingTCPServer | None = None

    def open(self) -> None:
        """Listen, on a free port of loopback."""
        egress = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    _Connection(egress, self.request).serve()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="egress", daemon=True).start()

    def close(self) -> None:
        """Listen no more. Safe to call twice."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def variables(self) -> dict[str, str]:
        """What makes programs ask this proxy, and look for no credentials of the machine's own."""
        port = self._server.server_address[1] if self._server else NOWHERE
        address = f"http://127.0.0.1:{port}/{HINT}"
        return {
            **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), address),
            **dict.fromkeys(("no_proxy", "NO_PROXY"), NO_PROXY),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def allows(self, host: str) -> bool:
        """Whether a host is neither AWS's nor a source of the machine's credentials."""
        name = host.rstrip(".").lower()
        if _address(name) is not None:
            return not is_metadata(name)
        if METADATA_NAME.search(name):
            return False
        return not AWS.search(name) or bool(FOR_EVERYBODY.search(name)) or name in self.registries

    def upstream(self, scheme: str, host: str) -> SplitResult | None:
        """The machine's own proxy for a host, if it has one."""
        if proxy_bypass_environment(host, self.proxies):
            return None
        found = self.proxies.get(scheme) or self.proxies.get("all")
        return urlsplit(found if "://" in found else f"http://{found}") if found else None


def is_metadata(address: str) -> bool:
    """Whether an address, however it is written, is one where credentials are given out."""
    found = _address(address)
    return found is not None and any(found in ipaddress.ip_network(network) for network in METADATA)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is written as, in any of the forms sockets take (`2852039166`, `0xa9fea9fe`,
    `::ffff:169.254.169.254`); None for a name."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, ValueError):
            return None
    if isinstance(found, ipaddress.IPv6Address) and found in NAT64:
        return ipaddress.IPv4Address(found.packed[-4:])
    return getattr(found, "ipv4_mapped", None) or found


class _Connection:
    """One request of a program, from its head to the last byte."""

    def __init__(self, egress: Egress, program: socket.socket) -> None:
        self._egress = egress
        self._program = program

    def serve(self) -> None:
        head, rest = self._head()
        method, _, target = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        target = target.rpartition(" ")[0]
        tunnel = method == "CONNECT"
        where = urlsplit(f"//{target}" if tunnel else target)
        try:
            host, port = where.hostname or "", where.port or (443 if tunnel else 80)
        except ValueError:
            host, port = "", 0
        if not host:
            self._answer("400 Bad Request", "this is a proxy: ask it for a host")
        elif not self._egress.allows(host):
            self._refuse(host, REFUSED.format(host))
        else:
            self._pass_on(head, rest, where, (host, port), tunnel=tunnel)

    def _head(self) -> tuple[bytes, bytes]:
        """The request up to the empty line, and what came after it already."""
        read = b""
        while b"\r\n\r\n" not in read and len(read) < HEAD_LIMIT:
            more = self._program.recv(CHUNK)
            if not more:
                break
            read += more
        head, end, rest = read.partition(b"\r\n\r\n")
        return head + end, rest

    def _refuse(self, host: str, words: str) -> None:
        self._egress.refused.append(host)
        log.warning("refused: %s", words)
        self._answer("403 AWS is not called from a rehearsal", words)

    def _answer(self, status: str, words: str) -> None:
        body = f"{words}\n"
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close"
        self._program.sendall(f"{head}\r\n\r\n{body}".encode())

    def _pass_on(self, head: bytes, rest: bytes, where: SplitResult, to: tuple[str, int], *, tunnel: bool) -> None:
        upstream = self._egress.upstream("https" if tunnel else "http", to[0])
        try:
            addresses = self._egress.names.addresses(to[0]) if upstream is None else ()
            secret = next(filter(is_metadata, addresses), None)
            if secret is not None:
                self._refuse(to[0], ANOTHER_NAME.format(to[0], secret))
                return
            other = _connect(addresses, to[1]) if upstream is None else _connect_through(upstream)
        except OSError as problem:
            log.info("%s:%s cannot be reached: %s", *to, problem)
            self._answer("502 Bad Gateway", f"{to[0]}:{to[1]} cannot be reached: {problem}")
            return
        self._egress.reached.add(to[0])
        with other:
            if upstream is not None:
                other.sendall(_with_credentials(head, upstream) + rest)
            elif tunnel:
                self._program.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                other.sendall(rest)
            else:
                other.sendall(_as_origin(head, where) + rest)
            back = threading.Thread(target=_copy, args=(other, self._program), daemon=True)
            back.start()
            _copy(self._program, other)
            back.join()


def _connect(addresses: Sequence[str], port: int) -> socket.socket:
    """A connection to the first address that takes it. Raises the last one's OSError."""
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, port), CONNECT_SECONDS)
    return socket.create_connection((addresses[-1], port), CONNECT_SECONDS)


def _connect_through(upstream: SplitResult) -> socket.socket:
    if upstream.scheme not in ("http", "https"):
        raise OSError(f"this machine's proxy is a {upstream.scheme} proxy, which is not played; unset it to go without")
    host, secure = upstream.hostname or "", upstream.scheme == "https"
    plain = socket.create_connection((host, upstream.port or (443 if secure else 80)), CONNECT_SECONDS)
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secure else plain


def _with_credentials(head: bytes, upstream: SplitResult) -> bytes:
    """The request as the machine's proxy wants it: with the user and password that its address carries."""
    if upstream.username is None:
        return head
    pair = f"{unquote(upstream.username)}:{unquote(upstream.password or '')}".encode()
    line = b"Proxy-Authorization: Basic " + base64.b64encode(pair)
    return head.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n")


def _as_origin(head: bytes, where: SplitResult) -> bytes:
    """A request for a proxy as the host itself wants it; one per connection."""
    first, _, headers = head.partition(b"\r\n")
    method, _, version = first.split(b" ")
    path = (where.path or "/") + (f"?{where.query}" if where.query else "")
    kept = [
        line
        for line in headers.removesuffix(b"\r\n\r\n").split(b"\r\n")
        if not line.lower().startswith((b"proxy-", b"connection:"))
    ]
    return b"\r\n".join([b" ".join((method, path.encode("latin-1"), version)), *kept, b"Connection: close", b"", b""])


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Everything from one to the other, its end included."""
    with contextlib.suppress(OSError):
        source.settimeout(None)
        while data := source.recv(CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
