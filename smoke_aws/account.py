"""AWS as the story sees it: one account in one region, whose people act through real credentials."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials
from botocore.exceptions import ClientError

from rehearsal.cloud.clock import Patience
from rehearsal.cloud.faults import Faults
from rehearsal.cloud.processes import Processes
from rehearsal.cloud.service import Credentials
from rehearsal.watch import wait_until
from service_catalog.errors import code_of
from service_catalog.target import Target

ON_AWS = Patience(factor=20.0, poll_seconds=10.0)
"""An instance takes minutes to start, and a canary its ten; the API is not asked more often than a console asks it."""
MACHINES = (
    "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "https_proxy",
    "NO_PROXY", "no_proxy",
)  # fmt: skip
"""Variables that say how this machine reaches AWS."""
RETRIES = Config(retries={"mode": "standard", "max_attempts": 10})
SESSION_SECONDS = 3600
"""A role that is assumed from a role's session lasts no longer; it is assumed again in time.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#id_roles_terms-and-concepts"""
ROLE_SECONDS = 120


class Machine:
    """This machine's own way to AWS."""

    def variables(self) -> dict[str, str]:
        """The variables that say how."""
        return {name: os.environ[name] for name in MACHINES if name in os.environ}


class Account:
    """A `rehearsal.world.World` on AWS."""

    def __init__(self, target: Target, folder: Path, patience: Patience = ON_AWS) -> None:
        """What people write on this machine lies below `folder`."""
        self.target = target
        self.account = target.account
        self.region = target.region
        self.stopping = threading.Event()
        self.faults = Faults()
        self.processes = Processes()
        self.egress = Machine()
        self.patience = patience
        self._folder = folder
        self._lock = threading.Lock()
        self._sessions: dict[str, boto3.Session] = {target.caller: target.session}
        self.caller = Credentials("", "", principal_arn=target.caller)
        """Whoever runs this. The keys of people stay with their sessions, which renew them."""

    def client(self, service: str, credentials: Credentials) -> Any:  # noqa: ANN401 - boto3 clients are untyped
        """A client of this account and region."""
        return self.client_in(self.region, service, credentials)

    def client_in(self, region: str, service: str, credentials: Credentials) -> Any:  # noqa: ANN401 - as above
        """A client of another region."""
        with self._lock:  # sessions are not thread-safe, clients are
            make = cast("Callable[..., Any]", self._sessions[credentials.principal_arn].client)
            return make(service, region_name=region, config=RETRIES)

    def environment(self, credentials: Credentials) -> dict[str, str]:
        """The keys as they are now; a program that lasts longer than they do is told so by AWS."""
        found = self._sessions[credentials.principal_arn].get_credentials()
        assert found is not None  # noqa: S101 - the session has been used by now
        keys = found.get_frozen_credentials()
        return {
            **Credentials(keys.access_key or "", keys.secret_key or "", keys.token or None).environment(),
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def folder_for(self, *parts: str) -> Path:
        """A folder below this run's own."""
        folder = self._folder.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def stop(self) -> None:
        """End every wait and every program."""
        self.stopping.set()
        self.processes.stop()

    def assume(self, role_arn: str, session_name: str) -> Credentials:
        """A session of a role, as the caller; it is renewed as long as it is used.

        A role that was made just now may be unknown for some seconds:
        https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
        """
        sts = self.client("sts", self.caller)

        def assumed() -> dict[str, Any]:
            answer: dict[str, Any] = sts.assume_role(
                RoleArn=role_arn, RoleSessionName=session_name, DurationSeconds=SESSION_SECONDS
            )
            return answer

        def when_known() -> dict[str, Any] | None:
            try:
                return assumed()
            except ClientError as error:
                if code_of(error) in {"AccessDenied", "AccessDeniedException"}:
                    return None
                raise

        look = Patience(poll_seconds=min(5.0, self.patience.poll_seconds))
        first = wait_until(when_known, f"a session of {role_arn}", ROLE_SECONDS, self.stopping, look)
        arn = str(first["AssumedRoleUser"]["Arn"])
        core = botocore.session.Session()
        core.register_component("credential_provider", CredentialResolver([_Assumed(first, assumed)]))
        self._sessions[arn] = boto3.Session(botocore_session=core, region_name=self.region)
        return Credentials("", "", principal_arn=arn)


class _Assumed(CredentialProvider):
    """Keys of an assumed role, renewed before they end."""

    METHOD = "sts-assume-role"

    def __init__(self, first: dict[str, Any], renew: Callable[[], dict[str, Any]]) -> None:
        super().__init__()
        self._first = first
        self._renew = renew

    def load(self) -> RefreshableCredentials:
        return RefreshableCredentials.create_from_metadata(
            metadata=_metadata(self._first), refresh_using=lambda: _metadata(self._renew()), method=self.METHOD
        )


def _metadata(answer: dict[str, Any]) -> dict[str, Any]:
    keys = answer["Credentials"]
    return {
        "access_key": keys["AccessKeyId"],
        "secret_key": keys["SecretAccessKey"],
        "token": keys["SessionToken"],
        "expiry_time": keys["Expiration"].isoformat(),
    }
