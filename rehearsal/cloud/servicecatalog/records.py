"""What Service Catalog keeps: portfolios, products and their versions, constraints, launched products."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from rehearsal.cloud.service import Credentials, Document


def new_id(prefix: str) -> str:
    """An identifier as Service Catalog makes them: `prod-` and 13 characters."""
    return f"{prefix}-{secrets.token_hex(7)[:13]}"


def merged_tags(tags: Iterable[Document], added: Iterable[Document], removed: Iterable[str]) -> list[Document]:
    """Tags after an update: AddTags replaces values of the same key, RemoveTags names keys."""
    added = list(added)
    gone = {*removed, *(tag["Key"] for tag in added)}
    return [*(tag for tag in tags if tag["Key"] not in gone), *added]


@dataclass
class Artifact:
    """A version of a product (Service Catalog calls it a provisioning artifact)."""

    id: str
    name: str
    description: str
    template_url: str
    template: str
    created: float
    active: bool = True


@dataclass
class Product:
    id: str
    name: str
    owner: str
    description: str
    tags: list[Document]
    created: float
    artifacts: dict[str, Artifact] = field(default_factory=dict)


@dataclass
class Portfolio:
    id: str
    name: str
    provider: str
    description: str
    tags: list[Document]
    created: float
    products: set[str] = field(default_factory=set)
    principals: dict[str, str] = field(default_factory=dict)
    """Who may launch from it: ARN or pattern, and whether it is one (`IAM`, `IAM_PATTERN`)."""


@dataclass
class Constraint:
    id: str
    type: str
    portfolio_id: str
    product_id: str
    description: str
    parameters: str


@dataclass
class Record:
    """One thing that was done to a provisioned product."""

    id: str
    type: str
    created: float
    artifact: str
    """The id of the version that it is about."""
    status: str = "CREATED"
    updated: float = 0.0
    errors: list[Document] = field(default_factory=list)
    outputs: list[Document] = field(default_factory=list)


@dataclass
class ProvisionedProduct:
    """A launched product: one CloudFormation stack."""

    id: str
    name: str
    product: Product
    artifact: Artifact
    portfolio: Portfolio
    launch_role: str | None
    launcher: Credentials
    created: float
    stack: str
    status: str = "UNDER_CHANGE"
    message: str = ""
    records: list[Record] = field(default_factory=list)
