"""A catalog to launch from: a bucket of templates, products in portfolios, and people with roles."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.service import Credentials
from tests.waiting import until

BUCKET = "templates"
TOPIC = """
Parameters: {Colour: {Type: String, Default: blue}, SageMakerProjectName: {Type: String, Default: none},
             SageMakerProjectId: {Type: String, Default: none}}
Resources:
  News: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Colour}}
Outputs: {Topic: {Value: !Ref News}}
"""
QUEUE_AND_TOPIC = """
Parameters: {SageMakerProjectName: {Type: String, Default: none}, SageMakerProjectId: {Type: String, Default: none}}
Resources:
  First: {Type: AWS::SNS::Topic}
  Second: {Type: AWS::SQS::Queue, DependsOn: First}
"""
"""The roles of these tests may make topics, and nobody may make queues."""
TWO_TOPICS = TOPIC.replace("Outputs:", "  More: {Type: AWS::SNS::Topic, Properties: {DisplayName: more}}\nOutputs:")
RENAMED_TOPIC_AND_QUEUE = TOPIC.replace("!Ref Colour", "!Sub 'very ${Colour}'").replace(
    "Outputs:", "  Second: {Type: AWS::SQS::Queue, DependsOn: News}\nOutputs:"
)
"""Versions of TOPIC: one that its role can make, and one that changes the topic and then fails."""
TOPICS = [
    "cloudformation:CreateStack",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeStacks",
    "cloudformation:DescribeStackEvents",
    "cloudformation:GetTemplateSummary",
    "cloudformation:UpdateStack",
    "s3:GetObject",
    "sns:*",
]
PEOPLE = ["servicecatalog:*", "sagemaker:*Project*", "sagemaker:AddTags"]


@dataclass
class Offer:
    """One product in one portfolio."""

    product: str
    portfolio: str
    artifact: str


@dataclass
class Lab:
    """What the tests do again and again."""

    cloud: Cloud
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def set(self) -> Lab:
        self.client("s3").create_bucket(Bucket=BUCKET)
        return self

    def client(self, service: str, who: Credentials | None = None) -> Any:
        return self.cloud.client(service, who or self.cloud.identity.root)

    @property
    def catalog(self) -> Any:
        return self.client("servicecatalog")

    def name(self, stem: str) -> str:
        return f"{stem}-{next(self.numbers)}"

    def template(self, text: str) -> str:
        key = self.name("template")
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())
        return f"https://{BUCKET}.s3.{self.cloud.region}.amazonaws.com/{key}"

    def role(self, stem: str, actions: list[str], service: str = "servicecatalog.amazonaws.com") -> str:
        """A role's ARN; it trusts one service and may do these actions on anything."""
        iam, name = self.client("iam"), self.name(stem)
        trust = [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]
        document = {"Version": "2012-10-17", "Statement": trust}
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
        given = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="given", PolicyDocument=json.dumps(given))
        return arn

    def person(self, *more: str) -> Credentials:
        """Somebody who may use the catalog, but makes nothing without a launch role unless `more` says so."""
        return self.cloud.identity.session_of(self.role("person", [*PEOPLE, *more]), "ada")

    def limited_person(self, statements: list[dict[str, Any]]) -> Credentials:
        """Somebody with a policy of their own."""
        arn = self.role("limited", ["sts:GetCallerIdentity"])
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.client("iam").put_role_policy(
            RoleName=arn.rpartition("/")[2], PolicyName="limited", PolicyDocument=document
        )
        return self.cloud.identity.session_of(arn, "ada")

    def product(self, text: str = TOPIC) -> tuple[str, str]:
        """A product's and its first version's id."""
        made = self.catalog.create_product(
            Name=self.name("product"),
            Owner="platform",
            ProductType="CLOUD_FORMATION_TEMPLATE",
            ProvisioningArtifactParameters={"Name": "v1", "Info": {"LoadTemplateFromURL": self.template(text)}},
        )
        return made["ProductViewDetail"]["ProductViewSummary"]["ProductId"], made["ProvisioningArtifactDetail"]["Id"]

    def offer(self, text: str = TOPIC, to: Credentials | None = None, role: str | None = None) -> Offer:
        """A product in a portfolio of its own, open to somebody, launched as a role."""
        product, artifact = self.product(text)
        portfolio = self.portfolio(product, to)
        if role:
            self.catalog.create_constraint(
                PortfolioId=portfolio, ProductId=product, Type="LAUNCH", Parameters=json.dumps({"RoleArn": role})
            )
        return Offer(product, portfolio, artifact)

    def portfolio(self, product: str, to: Credentials | None) -> str:
        made = self.catalog.create_portfolio(DisplayName=self.name("portfolio"), ProviderName="platform")
        portfolio: str = made["PortfolioDetail"]["Id"]
        self.catalog.associate_product_with_portfolio(ProductId=product, PortfolioId=portfolio)
        if to is not None:
            self.catalog.associate_principal_with_portfolio(
                PortfolioId=portfolio, PrincipalARN=self.role_arn(to), PrincipalType="IAM"
            )
        return portfolio

    def role_arn(self, who: Credentials) -> str:
        return f"arn:aws:iam::{self.cloud.account}:role/{who.principal_arn.split('/')[1]}"

    def launch(self, who: Credentials, offer: Offer, name: str | None = None, **more: Any) -> Any:
        """The record of a launch that has begun."""
        return self.client("servicecatalog", who).provision_product(
            ProductId=offer.product,
            ProvisioningArtifactId=offer.artifact,
            ProvisionedProductName=name or self.name("launched"),
            **more,
        )["RecordDetail"]

    def version(self, offer: Offer, text: str) -> str:
        """Another version of a product; its id."""
        added = self.catalog.create_provisioning_artifact(
            ProductId=offer.product,
            Parameters={"Name": self.name("v"), "Info": {"LoadTemplateFromURL": self.template(text)}},
        )
        return str(added["ProvisioningArtifactDetail"]["Id"])

    def topics(self, stack: str) -> dict[str, str]:
        """What the topics of a stack are called, by their logical ids."""
        listed = self.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
        named = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in listed}
        sns = self.client("sns")
        return {
            logical: sns.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"]
            for logical, arn in named.items()
        }

    def finished(self, record: Any) -> Any:
        """The record, its outputs among it, once it has ended."""

        def ended() -> Any:
            found = self.catalog.describe_record(Id=record["RecordId"])
            return found if found["RecordDetail"]["Status"] in ("SUCCEEDED", "FAILED") else None

        found = until(ended, f"the end of record {record['RecordId']}")
        outputs = {each["OutputKey"]: each["OutputValue"] for each in found["RecordOutputs"]}
        return {**found["RecordDetail"], "Outputs": outputs}
