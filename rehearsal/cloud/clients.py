"""boto3 clients, made quickly: one session shares the loaded service models, and the clients used last are kept.

The session is deaf to this machine's own AWS set-up: it reads no profile, no configuration and no credentials file.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from rehearsal.cloud.service import Credentials

NOT_THE_MACHINES = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Variables of a botocore session that neither the environment nor a file sets."""


def unconfigured_session() -> botocore.session.Session:
    """A botocore session that knows nothing of this machine's AWS set-up."""
    return botocore.session.Session(NOT_THE_MACHINES)


KEPT = 16


class Clients:
    """Clients of one region. Making one is guarded (sessions are not thread-safe); using is not."""

    def __init__(self, region: str) -> None:
        self._region = region
        # Any: the stubs overload `client` for each service's literal name, and the name is a variable here.
        self._session: Any = boto3.session.Session(botocore_session=unconfigured_session())
        self._lock = threading.Lock()
        self._kept = lru_cache(KEPT)(self._make)
        self._config = Config(
            retries={"max_attempts": 1, "mode": "legacy"},
            connect_timeout=5,
            read_timeout=900,
            s3={"addressing_style": "path"},
            proxies={},
            defaults_mode="legacy",  # type: ignore[arg-type]  # the stubs take it for a bool
            use_fips_endpoint=False,
            use_dualstack_endpoint=False,
        )

    def client(self, service: str, endpoint: str, credentials: Credentials) -> Any:  # noqa: ANN401 - see above
        """A client of `service` at `endpoint`, acting as `credentials`."""
        with self._lock:
            return self._kept(service, endpoint, credentials)

    def _make(self, service: str, endpoint: str, credentials: Credentials) -> Any:  # noqa: ANN401 - see above
        return self._session.client(
            service,
            endpoint_url=endpoint,
            region_name=self._region,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            config=self._config,
        )
