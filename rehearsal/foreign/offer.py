"""Publishing a template as AWS says for custom project templates: a product, a launch role, a tag, who may launch it.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-projects-templates-custom.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rehearsal.foreign.seeds import Seed
from rehearsal.foreign.template import Template
from rehearsal.person import Person

VERSION = "v1"


@dataclass(frozen=True)
class Offer:
    """What is launched: a product in its one version."""

    product: str
    artifact: str


class Publisher:
    """The platform engineer, publishing one template."""

    def __init__(self, engineer: Person, account: str, region: str) -> None:
        self._engineer = engineer
        self._region = region
        self.bucket = f"sagemaker-project-templates-{account}-{region}"
        """Named so that AWS's launch role, which reads `sagemaker-*`, reads the template in it."""

    def put_template(self, template: Template) -> str:
        """Upload the template. Its address."""
        key = f"{template.file.stem}/{template.file.name}"
        self._put(self.bucket, key, template.text.encode())
        return f"https://{self.bucket}.s3.{self._region}.amazonaws.com/{key}"

    def put_seeds(self, seeds: Iterable[Seed]) -> None:
        """Upload the archives to the buckets and keys that the template names."""
        for seed in seeds:
            self._put(seed.bucket, seed.key, seed.content())

    def _put(self, bucket: str, key: str, content: bytes) -> None:
        s3 = self._engineer.client("s3")
        if bucket not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
            place = {} if self._region == "us-east-1" else {"LocationConstraint": self._region}
            s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": place} if place else {}))
        s3.put_object(Bucket=bucket, Key=key, Body=content)

    def offer(self, template: Template, url: str, launch_role: str, studio_role: str) -> Offer:
        """Put the template on offer in Studio."""
        catalog: Any = self._engineer.client("servicecatalog")
        name = template.file.stem
        portfolio = catalog.create_portfolio(DisplayName=name, ProviderName="platform-engineer")["PortfolioDetail"][
            "Id"
        ]
        made = catalog.create_product(
            Name=name,
            Owner="platform-engineer",
            ProductType="CLOUD_FORMATION_TEMPLATE",
            Tags=[{"Key": "sagemaker:studio-visibility", "Value": "true"}],
            ProvisioningArtifactParameters={
                "Name": VERSION,
                "Type": "CLOUD_FORMATION_TEMPLATE",
                "Info": {"LoadTemplateFromURL": url},
            },
        )
        product = made["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
        catalog.associate_product_with_portfolio(ProductId=product, PortfolioId=portfolio)
        catalog.create_constraint(
            PortfolioId=portfolio,
            ProductId=product,
            Type="LAUNCH",
            Parameters=json.dumps({"RoleArn": launch_role}),
        )
        catalog.associate_principal_with_portfolio(PortfolioId=portfolio, PrincipalARN=studio_role, PrincipalType="IAM")
        return Offer(product, made["ProvisioningArtifactDetail"]["Id"])
