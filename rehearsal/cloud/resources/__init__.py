"""CloudFormation resource types of our own services: what a stack does when it creates, updates or deletes one.

A provider does what AWS's resource handler does: it calls the service's API as the stack's role, through
`cloud.call`, so validation and IAM apply to it as they do on AWS.
"""

from rehearsal.cloud.resources.provider import Resource, ResourceProvider, ResourceRequest

__all__ = ["Resource", "ResourceProvider", "ResourceRequest"]
