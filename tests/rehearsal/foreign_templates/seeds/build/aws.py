"""Calls to AWS, signed by hand: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html"""

import datetime
import hashlib
import hmac
import json
import os
import urllib.parse
import urllib.request

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]


def call(service: str, operation: str, document: dict) -> dict:
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"SageMaker.{operation}"}
    return json.loads(send("POST", service, "/", json.dumps(document).encode(), headers))


def put(bucket: str, key: str, content: bytes) -> None:
    send("PUT", "s3", f"/{bucket}/{key}", content, {})


def send(method: str, service: str, path: str, body: bytes, more: dict) -> bytes:
    region, now = os.environ["AWS_REGION"], datetime.datetime.now(datetime.UTC)
    stamp, digest = now.strftime("%Y%m%dT%H%M%SZ"), hashlib.sha256(body).hexdigest()
    headers = {
        **more,
        "host": urllib.parse.urlsplit(ENDPOINT).netloc,
        "x-amz-content-sha256": digest,
        "x-amz-date": stamp,
        "x-amz-security-token": os.environ["AWS_SESSION_TOKEN"],
    }
    names = ";".join(sorted(headers))
    listed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join((method, path, "", listed, names, digest))
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    request = urllib.request.Request(ENDPOINT + path, body, headers, method=method)  # noqa: S310 - AWS
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - AWS
        return answer.read()
