"""The CDK app of what people see in Service Catalog and Studio: a portfolio with one product and its versions.

Logical ids are fixed, because they are identities: renaming ``Product`` would replace the product, and with it the
id and every version that launched projects were made from.
"""

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service_catalog.errors import PublishError
from service_catalog.node import use_packaged_node

STACK = "mlops-catalog"
PRODUCT_NAME = "MLOps project: build, train, register, deploy"

_VISIBLE_IN_STUDIO = ("sagemaker:studio-visibility", "true")
"""Studio lists a product that carries this tag:
https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-projects-templates-custom.html"""


@dataclass(frozen=True)
class Version:
    """A version of the product (Service Catalog: provisioning artifact). Once published it never changes."""

    name: str
    template_url: str
    description: str


@dataclass(frozen=True)
class Catalog:
    """What the catalog stack holds: the product's versions, oldest first, and the ARNs of who may launch them."""

    versions: tuple[Version, ...] = ()
    principals: tuple[str, ...] = ()


def read_catalog(template: Mapping[str, Any]) -> Catalog:
    """What a template made by ``synthesise`` holds. An empty template holds nothing."""
    resources = template.get("Resources", {}).values()
    try:
        artifacts = [
            artifact
            for resource in resources
            if resource["Type"] == "AWS::ServiceCatalog::CloudFormationProduct"
            for artifact in resource["Properties"]["ProvisioningArtifactParameters"]
        ]
        return Catalog(
            versions=tuple(
                Version(artifact["Name"], artifact["Info"]["LoadTemplateFromURL"], artifact["Description"])
                for artifact in artifacts
            ),
            principals=tuple(
                resource["Properties"]["PrincipalARN"]
                for resource in resources
                if resource["Type"] == "AWS::ServiceCatalog::PortfolioPrincipalAssociation"
            ),
        )
    except KeyError as missing:
        raise PublishError(
            f"The stack {STACK} was not made by this program, or was edited since ({missing} is missing from its "
            "template). Rename or delete that stack, then publish again."
        ) from missing


def synthesise(catalog: Catalog, launch_role_arn: str, work: Path) -> bytes:
    """The catalog stack's template, as JSON. ``work`` is a folder CDK may write to.

    No bootstrapped environment is needed to deploy it: it has neither assets nor a bootstrap version parameter.
    """
    use_packaged_node()
    # Imported late: it takes a second and starts Node. Through importlib: reading CDK's 240 MB of Python costs a type
    # checker over a minute and 3 GB; CDK checks its arguments itself, at run time.
    cdk: Any = importlib.import_module("aws_cdk")
    servicecatalog: Any = importlib.import_module("aws_cdk.aws_servicecatalog")

    app = cdk.App(outdir=str(work), analytics_reporting=False, tree_metadata=False)
    stack = cdk.Stack(
        app,
        STACK,
        synthesizer=cdk.CliCredentialsStackSynthesizer(),
        description="The MLOps project template in Service Catalog: portfolio, product, versions, access.",
    )
    portfolio = servicecatalog.CfnPortfolio(
        stack,
        "Portfolio",
        display_name="MLOps projects for Amazon SageMaker",
        provider_name="ML platform team",
        description="Project templates that data scientists launch from SageMaker Studio.",
    )
    product = servicecatalog.CfnCloudFormationProduct(
        stack,
        "Product",
        name=PRODUCT_NAME,
        owner="ML platform team",
        description=(
            "A model-build and a model-deploy repository with their pipelines, joined by the model registry: "
            "approving a model version deploys it to staging, tests it, and asks before production."
        ),
        provisioning_artifact_parameters=[
            servicecatalog.CfnCloudFormationProduct.ProvisioningArtifactPropertiesProperty(
                name=version.name,
                description=version.description,
                type="CLOUD_FORMATION_TEMPLATE",
                info={"LoadTemplateFromURL": version.template_url},
            )
            for version in catalog.versions
        ],
        # Versions stay what they are; only those whose name and address are new are added.
        replace_provisioning_artifacts=False,
        tags=[cdk.CfnTag(key=_VISIBLE_IN_STUDIO[0], value=_VISIBLE_IN_STUDIO[1])],
    )
    offer = servicecatalog.CfnPortfolioProductAssociation(
        stack, "ProductInPortfolio", portfolio_id=portfolio.ref, product_id=product.ref
    )
    constraint = servicecatalog.CfnLaunchRoleConstraint(
        stack,
        "LaunchConstraint",
        portfolio_id=portfolio.ref,
        product_id=product.ref,
        role_arn=launch_role_arn,
        description="Projects are created by the launch role, so that the people who launch them need no such rights.",
    )
    constraint.add_resource_dependency(offer)  # a constraint holds for a product in a portfolio
    for principal in catalog.principals:
        access = servicecatalog.CfnPortfolioPrincipalAssociation(
            stack,
            f"StudioAccess{hashlib.sha256(principal.encode()).hexdigest()[:8]}",
            portfolio_id=portfolio.ref,
            principal_arn=principal,
            principal_type="IAM",
        )
        access.add_resource_dependency(constraint)  # nobody launches before the launch role is in place
    cdk.CfnOutput(stack, "PortfolioId", value=portfolio.ref, description="The portfolio of project templates.")
    cdk.CfnOutput(stack, "ProductId", value=product.ref, description="The product that people launch projects from.")
    assembly = app.synth()
    template: bytes = json.dumps(assembly.get_stack_by_name(STACK).template, indent=1).encode()
    return template
