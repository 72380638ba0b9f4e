"""Act 1: the platform engineer publishes the template; it is on offer in Studio."""

from __future__ import annotations

import sys

from rehearsal.progress import ActRecord
from rehearsal.scene import Scene, must


def publish(scene: Scene, act: ActRecord) -> None:
    scene.engineer.run_aloud(
        lambda line: scene.progress.say(f"  {line}"),
        sys.executable, "-m", "service_catalog", "publish", "--studio-role-arn", scene.studio_role_arn,
        "--approver-role-arn", scene.approver_role_arn,
        folder=scene.template,
    )  # fmt: skip
    catalog = scene.engineer.client("servicecatalog")
    products = catalog.search_products_as_admin()["ProductViewDetails"]
    must(len(products) == 1, f"one product must be on offer, not {len(products)}")
    product = catalog.describe_product_as_admin(Id=products[0]["ProductViewSummary"]["ProductId"])
    tags = {tag["Key"]: tag["Value"] for tag in product["Tags"]}
    must(tags.get("sagemaker:studio-visibility") == "true", "the product lacks the tag that shows it in Studio")
    act.facts |= {
        "product": product["ProductViewDetail"]["ProductViewSummary"]["Name"],
        "version": product["ProvisioningArtifactSummaries"][-1]["Name"],
    }
