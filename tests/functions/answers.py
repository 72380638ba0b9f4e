"""CloudFormation as a custom resource's function sees it: requests with a URL, and somebody who listens there."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from fake_aws import ACCOUNT, REGION, Document

STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/SC-1/0a1b2c3d-0000-4000-8000-000000000000"


class CloudFormationEar:
    """A local HTTP server that takes answers as S3 does behind CloudFormation's URL."""

    def __init__(self) -> None:
        self.answers: list[Document] = []
        self.headers: list[dict[str, str]] = []
        self.refusals = 0
        """How many answers are refused with 503 before one is taken."""
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if ear.refusals:
                    ear.refusals -= 1
                    self.send_response(503)
                else:
                    ear.answers.append(json.loads(body))
                    ear.headers.append(dict(self.headers))
                    self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing: the test's output is not a web server's log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/answer?signature=abc%2Fdef"

    def request(self, kind: str, properties: Document | None = None, **more: Any) -> Document:
        """A request as CloudFormation sends it."""
        first = {} if kind == "Create" else {"PhysicalResourceId": "project-clean-up"}
        return {
            "RequestType": kind,
            "ResponseURL": self.url,
            "StackId": STACK_ID,
            "RequestId": "request-1",
            "ResourceType": "Custom::ProjectCleanUp",
            "LogicalResourceId": "CleanUp",
            "ResourceProperties": properties or {},
            **first,
            **more,
        }

    def only_answer(self) -> Document:
        (answer,) = self.answers
        return answer
