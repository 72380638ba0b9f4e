"""Studio domains: what is known of them to whoever sets projects up. Nobody works in these.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateDomain.html
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.pages import paged
from rehearsal.cloud.sagemaker.tags import Tags, creating, passing, tag_map
from rehearsal.cloud.service import Call, Credentials, Document, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

PLAYED = {"DomainName", "AuthMode", "DefaultUserSettings", "SubnetIds", "VpcId", "Tags"}
MOST_LISTED = 100
ID_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass
class Domain:
    """One domain, with what it was created with."""

    id: str
    arn: str
    request: Document
    created: datetime

    def summary(self) -> Document:
        return {
            "DomainArn": self.arn,
            "DomainId": self.id,
            "DomainName": self.request["DomainName"],
            "Status": "InService",
            "CreationTime": self.created,
            "LastModifiedTime": self.created,
        }


class Domains(Tags):
    """CreateDomain, DescribeDomain, ListDomains."""

    name = "sagemaker"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._domains: dict[str, Domain] = {}
        self._domains_lock = threading.Lock()

    def _domain_arn(self, identifier: str) -> str:
        return self.arn(f"domain/{identifier}")

    @operation(
        "CreateDomain",
        needs=lambda self, request: [
            *creating("CreateDomain", self._domain_arn("*"), request),
            *(passing(role) for role in [request["DefaultUserSettings"].get("ExecutionRole")] if role),
        ],
    )
    def create_domain(self, request: Document, _: Credentials) -> Document:
        """In service at once: on AWS it takes minutes, but nothing here works in it."""
        if unplayed := sorted(set(request) - PLAYED):
            raise NotImplementedHere(f"{', '.join(unplayed)} of CreateDomain")
        identifier = "d-" + "".join(secrets.choice(ID_CHARACTERS) for _ in range(12))
        domain = Domain(identifier, self._domain_arn(identifier), request, self.cloud.clock.now())
        with self._domains_lock:
            if any(each.request["DomainName"] == request["DomainName"] for each in self._domains.values()):
                raise AwsError("ResourceInUse", f"Domain {request['DomainName']} already exists.")
            self._domains[identifier] = domain
            self.tags[domain.arn] = tag_map(request.get("Tags"))
        return {"DomainArn": domain.arn, "DomainId": domain.id}

    @operation(
        "DescribeDomain",
        needs=lambda self, request: [
            Call(
                "sagemaker:DescribeDomain",
                self._domain_arn(request["DomainId"]),
                self.resource_tags(self._domain_arn(request["DomainId"])),
            )
        ],
    )
    def describe_domain(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeDomain.html"""
        domain = self._domains.get(request["DomainId"])
        if domain is None:
            raise AwsError("ResourceNotFound", f"Domain {request['DomainId']} does not exist.")
        told = {key: value for key, value in domain.request.items() if key not in ("Tags", "DomainName")}
        return {**domain.summary(), **told}

    @operation("ListDomains", needs=lambda self, request: [Call("sagemaker:ListDomains")])
    @paged("Domains", MOST_LISTED)
    def list_domains(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListDomains.html"""
        with self._domains_lock:
            return {"Domains": [each.summary() for each in self._domains.values()]}
