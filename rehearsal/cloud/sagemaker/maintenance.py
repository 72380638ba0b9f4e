"""SageMaker's own maintenance of an endpoint: `SystemUpdating`, in which it serves and can be changed by nobody.

"Endpoint is undergoing maintenance and cannot be updated or deleted or re-scaled until it has completed. This
maintenance operation does not change any customer-specified values."
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html

On AWS it comes when SageMaker wants, and nobody says how long it takes. Here it comes as the fault
`endpoint-maintenance`, just before a call that it then gets in the way of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.faults import ENDPOINT_MAINTENANCE
from rehearsal.cloud.sagemaker.endpoint_state import Endpoint

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

SECONDS = 600.0
"""AWS seconds that it takes."""
UPDATE = "update"


def deletion_of(endpoint: Endpoint) -> str:
    """The part of the fault that meets the deletion of an endpoint: each endpoint's first one."""
    return f"deletion of {endpoint.name}"


def may_come(cloud: Cloud, endpoint: Endpoint, part: str) -> None:
    """Let maintenance begin before a change of an endpoint in service, when that fault strikes. Hold its lock."""
    if endpoint.status != "InService" or not cloud.faults.strikes(ENDPOINT_MAINTENANCE, endpoint.name, part):
        return
    reason = endpoint.failure_reason
    endpoint.enter("SystemUpdating", reason)

    def maintain() -> None:
        if not cloud.clock.wait(SECONDS, cloud.stopping):
            endpoint.enter("InService", reason)

    cloud.background(f"maintenance of {endpoint.name}", maintain)
