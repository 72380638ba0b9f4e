"""A caller is whoever holds the secret key and the session token; knowing the name of a key is not enough."""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import ClientError
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.front_door import CALLER
from rehearsal.cloud.service import Credentials, Document, Service, operation
from rehearsal.cloud.servicecatalog import ServiceCatalog
from rehearsal.cloud.signatures import caller_of
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.core.test_identity import allow, role

TARGET = "AWS242ServiceCatalogService.ListPortfolios"
ALICE = Credentials("AKIAALICE", "alice's secret", None, "arn:aws:iam::123456789012:user/alice")


class Greeter(Service):
    """A room of plain HTTP that says who calls."""

    name = "sagemaker-runtime"
    http_prefixes = ("/greet/",)

    @operation("InvokeEndpoint", needs=lambda _self, _request: [])
    def invoke_endpoint(self, request: Document, caller: Credentials) -> Document:  # noqa: ARG002
        raise AssertionError("this room is asked over plain HTTP only")

    def handle_http(self, request: Request) -> Response:
        caller = request.environ[CALLER]
        return Response(caller.principal_arn if caller else "nobody")


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([ServiceCatalog, Greeter])


@pytest.fixture(scope="module")
def session(cloud: Cloud) -> Credentials:
    """A session of a role that may list portfolios."""
    arn = role(cloud.client("iam", cloud.identity.root), "lists", allow("servicecatalog:ListPortfolios"))
    return cloud.identity.session_of(arn, "test")


def signed(
    cloud: Cloud,
    credentials: Credentials,
    body: str = "{}",
    *,
    service: str = "servicecatalog",
    region: str = "us-east-1",
    method: str = "POST",
    path: str = "/",
    **headers: str,
) -> dict[str, str]:
    """The headers of a request signed by botocore."""
    given = {"X-Amz-Target": TARGET, "Content-Type": "application/x-amz-json-1.1", **headers}
    request = AWSRequest(method, cloud.url + path, given, body)
    keys = BotocoreCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    SigV4Auth(keys, service, region).add_auth(request)
    return dict(request.headers.items())


def guess(credentials: Credentials) -> Credentials:
    """The same key, with a secret somebody guessed."""
    return dataclasses.replace(credentials, secret_access_key="guessed")  # noqa: S106


def send(
    cloud: Cloud, headers: dict[str, str], body: str = "{}", method: str = "POST", path: str = "/"
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(cloud.url.removeprefix("http://"))
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    payload = answer.read()
    try:
        return answer.status, json.loads(payload)
    except ValueError:
        return answer.status, payload.decode()


def test_a_signed_request_is_its_signers(cloud: Cloud, session: Credentials) -> None:
    assert send(cloud, signed(cloud, session)) == (200, {"PortfolioDetails": []})


@pytest.mark.parametrize("whose", ["root", "session"])
def test_a_wrong_secret_is_refused(cloud: Cloud, session: Credentials, whose: str) -> None:
    right = cloud.identity.root if whose == "root" else session
    status, answer = send(cloud, signed(cloud, guess(right)))
    assert (status, answer["__type"]) == (403, "InvalidSignatureException")
    assert answer["message"].startswith(
        "The request signature we calculated does not match the signature you provided."
    )


@pytest.mark.parametrize("token", [None, "another", ""])
def test_a_wrong_session_token_is_refused(cloud: Cloud, session: Credentials, token: str | None) -> None:
    status, answer = send(cloud, signed(cloud, dataclasses.replace(session, session_token=token)))
    assert (status, answer["__type"]) == (403, "UnrecognizedClientException")
    assert answer["message"] == "The security token included in the request is invalid."


@pytest.mark.parametrize("key", ["AKIASTRANGER", "test", "123456789012"])
def test_a_key_nobody_owns_is_refused(cloud: Cloud, key: str) -> None:
    status, answer = send(cloud, signed(cloud, Credentials(key, "test")))
    assert (status, answer["__type"]) == (403, "UnrecognizedClientException")


def test_a_body_changed_on_the_way_is_refused(cloud: Cloud, session: Credentials) -> None:
    status, answer = send(cloud, signed(cloud, session), '{"PageSize": 1}')
    assert (status, answer["__type"]) == (403, "InvalidSignatureException")


def test_a_header_changed_on_the_way_is_refused(cloud: Cloud, session: Credentials) -> None:
    headers = {**signed(cloud, session), "X-Amz-Target": TARGET.replace("ListPortfolios", "DeletePortfolio")}
    assert send(cloud, headers)[1]["__type"] == "InvalidSignatureException"


def test_a_body_that_is_not_the_stated_hash_is_refused(cloud: Cloud, session: Credentials) -> None:
    stated = hashlib.sha256(b"{}").hexdigest()
    headers = signed(cloud, session, **{"X-Amz-Content-SHA256": stated})
    assert send(cloud, headers)[0] == 200
    assert send(cloud, headers, '{"PageSize": 1}')[1]["__type"] == "InvalidSignatureException"


def test_a_header_left_out_of_the_signature_is_refused(cloud: Cloud, session: Credentials) -> None:
    headers = {**signed(cloud, session), "X-Amz-Extra": "added later"}
    status, answer = send(cloud, headers)
    assert (status, answer["__type"]) == (403, "InvalidSignatureException")
    assert "'X-Amz-Extra' must be a 'SignedHeader'" in answer["message"]


def test_a_signature_for_another_service_or_region_is_refused(cloud: Cloud, session: Credentials) -> None:
    _, answer = send(cloud, signed(cloud, session, service="sagemaker"))
    assert answer["message"] == "Credential should be scoped to correct service: 'servicecatalog'."
    _, answer = send(cloud, signed(cloud, session, region="eu-west-1"))
    assert answer["message"] == "Credential should be scoped to a valid region, not 'eu-west-1'."


def test_half_a_signature_is_refused_with_what_is_missing(cloud: Cloud, session: Credentials) -> None:
    headers = signed(cloud, session)
    headers["Authorization"] = headers["Authorization"].partition(", Signature=")[0]
    status, answer = send(cloud, headers)
    assert (status, answer["__type"]) == (403, "IncompleteSignatureException")
    assert answer["message"] == "Authorization header requires 'Signature' parameter."


def test_a_room_of_plain_http_hears_who_signed(cloud: Cloud, session: Credentials) -> None:
    path = "/greet/a%20b/~c?x=1&a=%2F"
    headers = signed(cloud, session, "hello", service="sagemaker", path=path)
    assert send(cloud, headers, "hello", path=path) == (200, session.principal_arn)
    status, answer = send(cloud, headers, "hallo", path=path)
    assert (status, answer["__type"]) == (403, "InvalidSignatureException")
    assert send(cloud, {}, "hello", path=path) == (200, "nobody")


def presigned(cloud: Cloud, credentials: Credentials) -> str:
    request = AWSRequest("GET", f"{cloud.url}/greet/me?x=1")
    keys = BotocoreCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    SigV4QueryAuth(keys, "sagemaker", "us-east-1", expires=60).add_auth(request)
    return request.url.removeprefix(cloud.url)


def test_a_presigned_url_is_verified_too(cloud: Cloud, session: Credentials) -> None:
    path = presigned(cloud, session)
    assert send(cloud, {}, "", "GET", path) == (200, session.principal_arn)
    status, answer = send(cloud, {}, "", "GET", path.replace("x=1", "x=2"))
    assert (status, answer["__type"]) == (403, "InvalidSignatureException")
    forged = presigned(cloud, guess(session))
    assert send(cloud, {}, "", "GET", forged)[0] == 403


def at(moment: datetime, *, expires: int | None = None) -> Request:
    """Alice's request, signed at `moment`."""
    stamp = f"{moment:%Y%m%dT%H%M%SZ}"
    signer = SigV4Auth if expires is None else SigV4QueryAuth
    auth = signer(BotocoreCredentials("AKIAALICE", "alice's secret"), "codebuild", "us-east-1")
    request = AWSRequest("GET", "http://localhost/")
    if expires is not None:
        auth._expires = expires
    request.context["timestamp"] = stamp
    auth._modify_request_before_signing(request)
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    auth._inject_signature_to_request(request, signature)
    builder = EnvironBuilder(path="/", base_url="http://localhost/", headers=dict(request.headers.items()))
    builder.query_string = request.url.partition("?")[2]
    return Request({**builder.get_environ(), "REQUEST_URI": request.url.removeprefix("http://localhost")})


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def whose(request: Request) -> Credentials | None:
    return caller_of(request, "codebuild", "us-east-1", {"AKIAALICE": ALICE}.__getitem__, NOW)


@pytest.mark.parametrize("seconds", [0, 299, -299])
def test_clocks_may_differ_by_five_minutes(seconds: int) -> None:
    assert whose(at(NOW + timedelta(seconds=seconds))) == ALICE


@pytest.mark.parametrize(
    ("seconds", "words"), [(-301, "Signature expired: 20260301T115459Z"), (301, "not yet current")]
)
def test_a_signature_of_another_time_is_refused(seconds: int, words: str) -> None:
    with pytest.raises(AwsError, match=words) as refused:
        whose(at(NOW + timedelta(seconds=seconds)))
    assert (refused.value.code, refused.value.status) == ("InvalidSignatureException", 403)


def test_a_presigned_url_is_good_for_as_long_as_it_says() -> None:
    assert whose(at(NOW - timedelta(seconds=3599), expires=3600)) == ALICE
    with pytest.raises(AwsError, match="Signature expired"):
        whose(at(NOW - timedelta(seconds=3601), expires=3600))


def test_verifying_takes_less_than_a_millisecond() -> None:
    requests = [at(NOW) for _ in range(50)]
    started = time.process_time()
    for request in requests:
        whose(request)
    assert (time.process_time() - started) / len(requests) < 0.001


def test_a_stack_is_made_only_for_whoever_signed(cloud: Cloud) -> None:
    forged = cloud.client("cloudformation", guess(cloud.identity.root))
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        forged.create_stack(StackName="forged", TemplateBody="Resources: {A: {Type: AWS::S3::Bucket}}")


@pytest.mark.parametrize("service", ["iam", "sts", "s3", "sqs", "events"])
def test_the_base_believes_no_root_key_without_its_secret(cloud: Cloud, service: str) -> None:
    asked = {
        "iam": "list_roles", "sts": "get_caller_identity", "s3": "list_buckets", "sqs": "list_queues",
        "events": "list_rules",
    }[service]  # fmt: skip
    getattr(cloud.client(service, cloud.identity.root), asked)()
    forged = cloud.client(service, guess(cloud.identity.root))
    with pytest.raises(ClientError, match="signature we calculated does not match"):
        getattr(forged, asked)()


@pytest.mark.parametrize("key", ["test", "123456789012"])
def test_the_base_knows_no_root_key_but_its_own(cloud: Cloud, key: str) -> None:
    with pytest.raises(ClientError, match="security token included in the request is invalid"):
        cloud.client("iam", Credentials(key, cloud.identity.root.secret_access_key)).list_roles()


def test_nobody_is_not_root(cloud: Cloud) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{cloud.url}/")  # noqa: S310 - loopback


def test_a_presigned_object_url_needs_the_secret(cloud: Cloud) -> None:
    root = cloud.identity.root
    s3 = cloud.client("s3", root)
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="k", Body=b"x")
    where = {"Bucket": "presigned", "Key": "k"}
    assert urllib.request.urlopen(s3.generate_presigned_url("get_object", where)).read() == b"x"  # noqa: S310
    forged = cloud.client("s3", guess(root))
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(forged.generate_presigned_url("get_object", where))  # noqa: S310
