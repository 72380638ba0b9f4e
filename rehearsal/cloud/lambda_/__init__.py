"""AWS Lambda: Python functions, as many processes as invocations at once, as the function's role.

`functions.py` keeps functions, `policies.py` who may invoke them and `concurrency.py` how many side by side;
`invocations.py` invokes them. `code.py` unpacks their archives, `environment.py` is what they see, `execution.py` runs
them in a `sandbox.py`, the execution environment, which is frozen and used again. `process.py` is the process in it,
`bootstrap.py` the other side of that and stands in for AWS's runtime interface client.
`triggers.py` is what cannot invoke them here, `patience.py` how long others wait for what they report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.lambda_.concurrency import Concurrency
from rehearsal.cloud.lambda_.functions import Functions
from rehearsal.cloud.lambda_.invocations import Invocations
from rehearsal.cloud.lambda_.policies import Policies

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud


class Lambda(Functions, Concurrency, Policies, Invocations):
    """The `lambda` API."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        cloud.events.add_target("lambda", self.deliver)

    def stop(self) -> None:
        """End the functions that wait for their next invocation."""
        self.idle.end()


__all__ = ["Lambda"]
