"""Whose request is this? Signature Version 4, verified: the secret key and the session token, not the key's name.

The canonical request, the string to sign and the signature are botocore's own computation, made again with the secret
the account knows for the access key.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials as BotocoreCredentials
from werkzeug.wrappers import Request

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
STAMP = "%Y%m%dT%H%M%SZ"
SKEW = timedelta(minutes=5)
LONGEST_PRESIGNED = 7 * 24 * 3600
"""Seconds: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html"""
FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
SCOPE = re.compile(r"([^/]+)/([^/]+)/([^/]+)/([^/]+)/aws4_request")
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


class _Signer(SigV4Auth):
    """botocore's signer, made to sign exactly the headers a client says it signed."""

    def __init__(self, secret: str, service: str, region: str, signed_headers: list[str]) -> None:
        super().__init__(BotocoreCredentials("", secret), service, region)
        self._signed = signed_headers

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        headers = HTTPHeaders()
        for name in self._signed:
            for value in request.headers.get_all(name, []):
                headers[name] = value
        return headers


@dataclass(frozen=True)
class Signature:
    """What a request says about its signature. `presigned` ones stand in the query; `expires` (seconds) is theirs."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: list[str]
    signature: str
    stamp: str
    token: str
    expires: int | None = None

    @property
    def presigned(self) -> bool:
        """Whether it stands in the query."""
        return self.expires is not None


def raw_target(request: Request) -> str:
    """Path and query as they came over the wire, not decoded."""
    return str(request.environ.get("REQUEST_URI") or request.full_path)


def claimed(request: Request) -> Signature | None:
    """What the request says of its signature; None for one that carries none. Raises AwsError for half of one."""
    authorization = request.headers.get("Authorization", "")
    if authorization.startswith(ALGORITHM):
        found: Mapping[str, str] = dict(FIELD.findall(authorization))
        stamp, token = request.headers.get("X-Amz-Date", ""), request.headers.get("X-Amz-Security-Token", "")
        where, prefix, expires = "Authorization header requires", "", None
    elif request.args.get("X-Amz-Algorithm") == ALGORITHM:
        where, prefix = "AWS query-string parameters must include", "X-Amz-"
        found = {
            name: request.args[f"X-Amz-{name}"]
            for name in ("Credential", "SignedHeaders", "Signature")
            if f"X-Amz-{name}" in request.args
        }
        stamp, token = request.args.get("X-Amz-Date", ""), request.args.get("X-Amz-Security-Token", "")
        given = request.args.get("X-Amz-Expires", "")
        if not given.isdecimal() or not 1 <= int(given) <= LONGEST_PRESIGNED:
            raise _incomplete("X-Amz-Expires must be between 1 and 604800 seconds.")
        expires = int(given)
    else:
        return None
    missing = [name for name in ("Credential", "Signature", "SignedHeaders") if name not in found]
    if missing:
        raise _incomplete(" ".join(f"{where} '{prefix}{name}' parameter." for name in missing))
    if not stamp:
        raise _incomplete(f"{where} 'X-Amz-Date'.")
    scope = SCOPE.fullmatch(found["Credential"])
    if scope is None:
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{found['Credential']}'"
        )
    headers = [name.lower() for name in found["SignedHeaders"].split(";")]
    return Signature(scope[1], scope[2], scope[3], scope[4], headers, found["Signature"], stamp, token, expires)


def caller_of(
    request: Request,
    service: str,
    region: str,
    credentials_of: Callable[[str], Credentials],
    now: datetime | None = None,
) -> Credentials | None:
    """Whoever signed the request for `service` (its signing name) in `region`; None when it carries no signature.

    Raises AwsError as AWS answers a signature, key, token or time that is not right, with the codes of the JSON
    protocol: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
    """
    signature = claimed(request)
    if signature is None:
        return None
    _check_time(signature, now or datetime.now(UTC))
    _check_scope(signature, service, region)
    _check_headers(signature, request)
    caller = credentials_of(signature.access_key_id)
    if not hmac.compare_digest(signature.token.encode(), (caller.session_token or "").encode()):
        raise AwsError("UnrecognizedClientException", "The security token included in the request is invalid.", 403)
    if not hmac.compare_digest(signature.signature.encode(), _calculated(signature, request, caller).encode()):
        raise _invalid(MISMATCH)
    return caller


def _calculated(signature: Signature, request: Request, caller: Credentials) -> str:
    body = request.get_data()
    target = urlsplit(raw_target(request))
    query = "&".join(part for part in target.query.split("&") if unquote(part.partition("=")[0]) != "X-Amz-Signature")
    copy = AWSRequest(request.method, f"http://{request.host}{target.path}?{query}", data=body)
    for name, value in request.headers.items():
        copy.headers[name] = value
    stated = request.headers.get("X-Amz-Content-SHA256")
    if stated is not None and stated != hashlib.sha256(body).hexdigest():
        raise _invalid("The value of X-Amz-Content-SHA256 is not the hash of the payload.")
    copy.context["timestamp"] = signature.stamp
    signer = _Signer(caller.secret_access_key, signature.service, signature.region, signature.signed_headers)
    return str(signer.signature(signer.string_to_sign(copy, signer.canonical_request(copy)), copy))


def _check_time(signature: Signature, now: datetime) -> None:
    try:
        signed = datetime.strptime(signature.stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{signature.stamp}'.") from None
    if signature.date != signature.stamp[:8]:
        raise _invalid(
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{signature.date}' != '{signature.stamp[:8]}', from '{signature.stamp}'."
        )
    if signed > now + SKEW:
        raise _invalid(
            f"Signature not yet current: {signature.stamp} is still later than {now + SKEW:{STAMP}} "
            f"({now:{STAMP}} + 5 min.)"
        )
    valid_for = SKEW if signature.expires is None else timedelta(seconds=signature.expires)
    if signed < now - valid_for:
        raise _invalid(
            f"Signature expired: {signature.stamp} is now earlier than {now - valid_for:{STAMP}} "
            f"({now:{STAMP}} - {valid_for.total_seconds() / 60:g} min.)"
        )


def _check_scope(signature: Signature, service: str, region: str) -> None:
    if signature.region != region:
        raise _invalid(f"Credential should be scoped to a valid region, not '{signature.region}'.")
    if signature.service != service:
        raise _invalid(f"Credential should be scoped to correct service: '{service}'.")


def _check_headers(signature: Signature, request: Request) -> None:
    """The host and every `x-amz-*` header must be covered by the signature."""
    if "host" not in signature.signed_headers:
        raise _invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for name in request.headers.keys():  # noqa: SIM118 - werkzeug's headers iterate over pairs
        if name.lower().startswith("x-amz-") and name.lower() not in signature.signed_headers:
            raise _invalid(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def _incomplete(message: str) -> AwsError:
    return AwsError("IncompleteSignatureException", message, 403)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidSignatureException", message, 403)
