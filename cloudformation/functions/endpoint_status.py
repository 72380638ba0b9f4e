"""Whether SageMaker is at work on an endpoint.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html#sagemaker-DescribeEndpoint-response-EndpointStatus
"""

from botocore.exceptions import ClientError

from aws import Client, is_missing

CHANGING = frozenset({"Updating", "SystemUpdating", "RollingBack"})
"""Being updated, scaled or maintained, or on its way back from that. The endpoint answers all the while, and can be
neither updated nor deleted."""
UNSETTLED = CHANGING | {"Creating", "Deleting"}


def status_of(sagemaker: Client, endpoint_name: str) -> str | None:
    """None where there is no such endpoint: before the first deployment, after the last, and with batch runs."""
    try:
        return str(sagemaker.describe_endpoint(EndpointName=endpoint_name)["EndpointStatus"])
    except ClientError as error:
        if is_missing(error):
            return None
        raise
