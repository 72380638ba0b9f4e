"""Where functions put their answers on custom resources: presigned addresses in a bucket of CloudFormation's own."""

from __future__ import annotations

import hmac
import secrets
import threading
from typing import TYPE_CHECKING
from urllib.parse import quote

from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

REFUSED = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>'  # S3 answers in XML
)


class Answers:
    """The bucket of CloudFormation that functions put their answers into, at addresses that cannot be guessed."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._bucket = f"cloudformation-custom-resource-response-{cloud.region.replace('-', '')}"
        self._signatures: dict[str, str] = {}
        self._given: dict[str, bytes] = {}
        self._changed = threading.Condition()

    def expect(self, stack_id: str, logical_id: str, request_id: str) -> tuple[str, str]:
        """Open an address; answers its key and its URL."""
        key = f"{stack_id}|{logical_id}|{request_id}"
        with self._changed:
            signature = self._signatures[key] = secrets.token_hex(32)
        return key, f"{self._cloud.url}/{self._bucket}/{quote(key)}?X-Amz-Expires=7200&X-Amz-Signature={signature}"

    def close(self, key: str) -> None:
        """Take no more at this address."""
        with self._changed:
            self._signatures.pop(key, None)
            self._given.pop(key, None)

    def wait(self, key: str, seconds: float) -> bytes | None:
        """What was put there, at most so many real seconds from now."""
        with self._changed:
            self._changed.wait_for(lambda: key in self._given, seconds)
            return self._given.get(key)

    def takes(self, path: str) -> bool:
        """Whether a request's path is in this bucket."""
        return path.startswith(f"/{self._bucket}/")

    def put(self, request: Request) -> Response:
        """S3's part: a PUT to a presigned address, which may carry no content type, for none was signed.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-lambda-function-code-cfnresponsemodule.html
        """
        key = request.path.removeprefix(f"/{self._bucket}/")
        signature = request.args.get("X-Amz-Signature", "")
        with self._changed:
            expected = self._signatures.get(key, "")
            if request.method != "PUT" or not expected or not hmac.compare_digest(expected, signature):
                return _refusal("AccessDenied", "Access Denied")
            if request.headers.get("Content-Type"):
                return _refusal(
                    "SignatureDoesNotMatch",
                    "The request signature we calculated does not match the signature you provided. (The address was "
                    "presigned without a content type: send an empty Content-Type header.)",
                )
            self._given[key] = request.get_data()
            self._changed.notify_all()
        return Response(b"", 200)


def _refusal(code: str, message: str) -> Response:
    return Response(REFUSED.format(code, message), 403, content_type="application/xml")
