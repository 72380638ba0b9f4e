"""The passwords git shows CodeCommit: a signature of the repository's path, good for 15 minutes.

Standard library only, and outside the `codecommit` package: git's credential helper is started for every request.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

TIME_FORMAT = "%Y%m%dT%H%M%S"


def password(secret_access_key: str, region: str, host: str, path: str, moment: datetime) -> str:
    """The password for a repository: `<time>Z<signature>`.

    A Signature Version 4 of a request with the method `GIT`, the repository's path and the host without its port; the
    payload is left out. The AWS CLI computes the same (`awscli/customizations/codecommit.py`).
    """
    stamp = moment.astimezone(UTC).strftime(TIME_FORMAT)
    scope = (stamp[:8], region, "codecommit", "aws4_request")
    canonical_request = f"GIT\n{path}\n\nhost:{host.partition(':')[0]}\n\nhost\n"
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    key = f"AWS4{secret_access_key}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{'/'.join(scope)}\n{digest}"
    return f"{stamp}Z{hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()}"
