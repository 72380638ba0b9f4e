"""A machine whose owner is signed in to AWS in every way there is, each of them a trap that tells when it is used."""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KEY = "AKIAOFTHEOWNER000000"
PROFILES = "".join(f"[{name}]\ncredential_process = touch {{0}}/process\n" for name in ("default", "profile private"))
KEYS = "".join(
    f"[{name}]\naws_access_key_id = {KEY}\naws_secret_access_key = secret\n" for name in ("default", "private")
)
IN_OPEN, IN_CREATE, IN_NONBLOCK = 0x20, 0x100, 0o4000
"""inotify(7)"""


class Traps:
    """`environment` is the owner's; `sprung` names every file that was opened and every address that was asked."""

    def __init__(self, folder: Path) -> None:
        self._asked: list[str] = []
        self._opened: list[str] = []
        self.home = folder / "home"
        (self.home / ".aws").mkdir(parents=True)
        for place in (folder, self.home / ".aws"):
            (place / "config").write_text(PROFILES.format(folder))
            (place / "credentials").write_text(KEYS)
        for name in ("token", "authorization"):
            (folder / name).write_text("secret")
        self._watch = _watch(folder, self.home / ".aws")
        traps = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                traps._asked.append(f"{self.command} {self.path}")
                self.send_response(404)
                self.send_header("Content-Length", "16")
                self.end_headers()
                self.wfile.write(b"<ErrorResponse/>")

            do_POST = do_PUT = do_GET  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{self._server.server_port}"
        self.environment = {
            "HOME": str(self.home),
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SESSION_TOKEN": "token",
            "AWS_PROFILE": "private",
            "AWS_DEFAULT_PROFILE": "private",
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
            "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/owner",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token"),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{address}/container",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(folder / "authorization"),
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{address}/instance",
            "AWS_ENDPOINT_URL": f"{address}/any-service",
            "AWS_ENDPOINT_URL_STS": f"{address}/sts",
            "AWS_ENDPOINT_URL_S3": f"{address}/s3",
            "AWS_USE_FIPS_ENDPOINT": "true",
        }

    @property
    def sprung(self) -> list[str]:
        """What was used so far; `process` is the credential process of a profile."""
        while events := _read(self._watch):
            while events:
                *_, length = struct.unpack_from("iIII", events)
                name = events[16 : 16 + length].rstrip(b"\0").decode()
                events = events[16 + length :]
                if name and name not in ("home", ".aws"):
                    self._opened.append(name)
        return [*self._opened, *self._asked]

    def clear(self) -> None:
        """Take the traps away."""
        os.close(self._watch)
        self._server.shutdown()
        self._server.server_close()


def _watch(*folders: Path) -> int:
    """A descriptor from which the kernel tells which files in these folders are opened or made, by any process."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.inotify_init1(IN_NONBLOCK))
    for folder in folders:
        if libc.inotify_add_watch(descriptor, bytes(folder), IN_OPEN | IN_CREATE) < 0:
            raise OSError(ctypes.get_errno(), f"{folder} cannot be watched")
    return descriptor


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return b""
