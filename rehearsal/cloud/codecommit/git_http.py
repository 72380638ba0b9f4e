"""Git over HTTP as CodeCommit speaks it: its credentials, its permissions, its events; git's own `http-backend` behind.

Who is asking:

- CodeCommit's clients send basic authentication made by a credential helper: the access key (with `%` and the session
  token of temporary credentials) and a signature that is good for 15 minutes. See `git_passwords.py`.
- Stock git shows no credentials before it was asked for them, and asks its helper only after a 401 with a challenge.
  So git's bare request for the list of references is challenged, and that is all it gets. Whatever is anonymous
  otherwise (another program, an empty user name, a request that would read or write) is refused with 403, and so are
  wrong, expired or powerless credentials: git then prints "The requested URL returned error: 403" as with CodeCommit.

https://docs.aws.amazon.com/codecommit/latest/userguide/auth-and-access-control-permissions-reference.html#aa-git
"""

from __future__ import annotations

import gzip
import hmac
import os
import re
import socket
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.codecommit.repository import NOBODY, Repository, git_environment
from rehearsal.cloud.errors import AccessDenied, AwsError
from rehearsal.cloud.faults import GIT_NETWORK
from rehearsal.cloud.git_passwords import TIME_FORMAT, password
from rehearsal.cloud.service import Call, Credentials

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

PREFIX = "/v1/repos/"
PATH = re.compile(r"/v1/repos/(?P<name>[\w.-]+)/(?P<rest>info/refs|git-upload-pack|git-receive-pack)")
ACTIONS = {"git-upload-pack": "codecommit:GitPull", "git-receive-pack": "codecommit:GitPush"}
VALID_FOR = timedelta(minutes=15)
GIT_CLIENTS = ("git/", "jgit/", "go-git/")
REALM = 'Basic realm="CodeCommit"'
BUFFER = 1 << 16
IN_MEMORY = 8 << 20

Body = tempfile.SpooledTemporaryFile[bytes]


class RefusedError(Exception):
    """The request is answered with a status and a line of text."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


@dataclass(frozen=True)
class Update:
    """One reference that a push wants changed."""

    reference: str
    old: str
    new: str


class GitHttp:
    """Answers git's requests under `/v1/repos/`."""

    def __init__(
        self,
        cloud: Cloud,
        find: Callable[[str], Repository],
        context: Callable[[Repository], dict[str, str | list[str]]],
        pushed: Callable[[Repository, dict[str, str], dict[str, str], Credentials], None],
    ) -> None:
        """`find` raises AwsError for unknown repositories; `pushed` hears references before and after a push."""
        self._cloud = cloud
        self._find = find
        self._context = context
        self._pushed = pushed

    def answer(self, request: Request) -> Response:
        """Answer one request of a git client."""
        try:
            return self._answer(request)
        except RefusedError as refusal:
            headers = {"WWW-Authenticate": REALM} if refusal.status == 401 else {}
            return Response(f"{refusal.why}\n", refusal.status, headers, content_type="text/plain; charset=utf-8")

    def _answer(self, request: Request) -> Response:
        found = PATH.fullmatch(request.path)
        if found is None:
            raise RefusedError(404, "this is not a path of git's smart protocol")
        service = request.args.get("service", "") if found["rest"] == "info/refs" else found["rest"]
        if service not in ACTIONS:
            raise RefusedError(404, f"git's service '{service}' is not offered here")
        caller = self._caller(request, f"{PREFIX}{found['name']}")
        try:
            repository = self._find(found["name"])
        except AwsError as unknown:
            # No word about what exists to those who may not know it.
            self._require(caller, Call(ACTIONS[service], self._arn(found["name"])))
            raise RefusedError(404, unknown.message) from unknown
        call = Call(ACTIONS[service], self._arn(repository.name), self._context(repository))
        self._require(caller, call)
        if request.method == "POST" and self._breaks(service, repository.name):
            return Response(_cut_off(request), content_type=f"application/x-{service}-result")
        with tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(self._cloud.folder_for("codecommit", "tmp"))) as body:
            length = _spool(request, body)
            inside = f"/{repository.folder.name}/{found['rest']}"
            if found["rest"] == "git-receive-pack":
                self._check_references(caller, call, _pushed_updates(body, request))
                return self._push(repository, inside, caller, request, body, length)
            return self._backend(repository, inside, caller, request, body, length)

    def _breaks(self, service: str, repository: str) -> bool:
        verb = {"git-upload-pack": "a clone or fetch", "git-receive-pack": "a push"}[service]
        return self._cloud.faults.strikes(GIT_NETWORK, f"{verb} of {repository}", part=service)

    # ---- who, and may they

    def _caller(self, request: Request, path: str) -> Credentials:
        given = request.authorization
        if given is None:
            git_asks = request.method == "GET" and request.headers.get("User-Agent", "").lower().startswith(GIT_CLIENTS)
            raise RefusedError(401 if git_asks else 403, "credentials are required: see CodeCommit's credential helper")
        user, _, token = (given.username or "").partition("%")
        try:
            if given.type != "basic" or not user:
                raise RefusedError(403, "anonymous access is not allowed")
            caller = self._cloud.identity.credentials_of(user)
        except AwsError as unknown:
            raise RefusedError(403, "the access key is not known") from unknown
        if not hmac.compare_digest(token.encode(), (caller.session_token or "").encode()):
            raise RefusedError(403, "the session token is not that of the access key")
        self._check_password(given.password or "", caller, request, path)
        return caller

    def _check_password(self, given: str, caller: Credentials, request: Request, path: str) -> None:
        stamp, _, signature = given.partition("Z")
        try:
            moment = datetime.strptime(stamp, TIME_FORMAT).replace(tzinfo=UTC)
        except ValueError:
            raise RefusedError(403, "the password is not one of CodeCommit's credential helper") from None
        wanted = password(caller.secret_access_key, self._cloud.region, request.host, path, moment)
        if not signature or not hmac.compare_digest(given.encode(), wanted.encode()):
            raise RefusedError(403, "the signature does not fit the secret key, region, host and path")
        if abs(datetime.now(UTC) - moment) > VALID_FOR:
            raise RefusedError(403, "the signature is older than 15 minutes")

    def _require(self, caller: Credentials, call: Call) -> None:
        try:
            self._cloud.identity.require(caller, [call])
        except AccessDenied as denied:
            raise RefusedError(403, denied.message) from denied

    def _check_references(self, caller: Credentials, call: Call, updates: list[Update]) -> None:
        """A push is authorised once more for each reference, as policies may restrict single branches.

        The request that lists references before carries no `codecommit:References`, which is why AWS tells people to
        write `Null` conditions: https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-conditional-branch.html
        """
        for update in updates:
            context = {**call.context, "codecommit:References": update.reference}
            self._require(caller, Call(call.action, call.resource, context))

    def _arn(self, name: str) -> str:
        return f"arn:aws:codecommit:{self._cloud.region}:{self._cloud.account}:{name}"

    # ---- git

    def _push(
        self, repository: Repository, inside: str, caller: Credentials, request: Request, body: Body, length: int
    ) -> Response:
        with repository.pushing:
            before = repository.references()
            response = self._backend(repository, inside, caller, request, body, length)
            response.make_sequence()  # the push is over before its events are told
            repository.settle_default_branch()
            after = repository.references()
        self._pushed(repository, before, after, caller)
        return response

    def _backend(
        self, repository: Repository, inside: str, caller: Credentials, request: Request, body: Body, length: int
    ) -> Response:
        """Let `git http-backend` answer; what it sends is passed on while it sends it.

        https://git-scm.com/docs/git-http-backend
        """
        environment = git_environment(repository.folder.parent) | {
            "GIT_PROJECT_ROOT": str(repository.folder.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": inside,
            "QUERY_STRING": request.query_string.decode(),
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REMOTE_USER": caller.principal_arn,
            "REMOTE_ADDR": request.remote_addr or "",
        }
        body.rollover()  # a child can only inherit a real file,
        body.flush()
        os.lseek(body.fileno(), 0, os.SEEK_SET)  # and reads on from the file's own position, not from the buffer's
        child = self._cloud.processes.start(
            ["git", "http-backend"],
            env=environment,
            stdin=body.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert child.stdout is not None  # noqa: S101 - it is a pipe
        status, headers = _cgi_head(child.stdout)
        return Response(_rest_of(child, self._cloud), status, headers)


def _cut_off(request: Request) -> Iterator[bytes]:
    """An answer whose connection breaks after its first bytes; what was sent is thrown away.

    Not before them: on a connection it has used already, a client would quietly ask again.
    """
    yield b"00"
    connection: socket.socket = request.environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing it is a reset
    connection.shutdown(socket.SHUT_RD)
    raise ConnectionResetError("the connection to a git client breaks on purpose")


def _spool(request: Request, body: IO[bytes]) -> int:
    """Keep the request's body, however it is sent (chunked included), and return its length."""
    length = 0
    while chunk := request.stream.read(BUFFER):
        body.write(chunk)
        length += len(chunk)
    return length


def _pushed_updates(body: IO[bytes], request: Request) -> list[Update]:
    """The references a push wants changed: the pkt-lines before the first flush.

    https://git-scm.com/docs/pack-protocol#_reference_update_request_and_packfile_transfer
    """
    body.seek(0)
    packed = request.headers.get("Content-Encoding", "") in ("gzip", "x-gzip")
    source: Any = gzip.GzipFile(fileobj=body) if packed else body
    updates = []
    while size := int(source.read(4) or b"0000", 16):
        line = source.read(size - 4).partition(b"\0")[0].decode(errors="replace").strip()
        words = line.split(" ", 2)
        if len(words) == 3 and len(words[0]) >= len(NOBODY):
            updates.append(Update(words[2], words[0], words[1]))
    return updates


def _cgi_head(output: IO[bytes]) -> tuple[int, list[tuple[str, str]]]:
    """Status and headers of a CGI answer."""
    status, headers = 200, []
    while line := output.readline().strip():
        name, _, value = line.decode("latin-1").partition(": ")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers.append((name, value))
    return status, headers


def _rest_of(child: subprocess.Popen[Any], cloud: Cloud) -> Iterator[bytes]:
    """What a child still prints; it is ended when nobody listens any more."""
    assert child.stdout is not None  # noqa: S101 - it is a pipe
    try:
        while chunk := child.stdout.read1(BUFFER):  # type: ignore[attr-defined]
            yield chunk
        child.wait()
    finally:
        child.stdout.close()
        if child.poll() is None:
            cloud.processes.end(child)
        cloud.processes.forget(child)
