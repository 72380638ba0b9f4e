"""Act 6: a person says yes; production answers real claims. Then version 2 follows, and traffic shifts to it."""

from __future__ import annotations

import json
import secrets
from typing import Any

from rehearsal.claims import HARMLESS, SUSPICIOUS
from rehearsal.progress import ActRecord
from rehearsal.scene import Scene, must


def production(scene: Scene, act: ActRecord) -> None:
    watch = scene.watch(scene.project.deploy_pipeline, scene.project.asking)
    scene.say_yes(watch)
    watch.until_succeeded()
    act.facts |= claims_are_scored(scene, scene.project.package_versions[0])
    scene.second_version.wait()
    watch = scene.decide(scene.project.package_versions[1], "Approved", "Finds more of the fraud")
    scene.until_asked(watch)
    scene.mail("ApproveProduction", "metrics (and of live version 1): accuracy")
    scene.say_yes(watch)
    scene.second_shift.reach()
    watch.until_succeeded()
    shifted = claims_are_scored(scene, scene.project.package_versions[1])
    scene.second_live.reach()
    act.facts |= {"then": "version 2 by canary", "scored by version 2": shifted["claims scored"]}


def claims_are_scored(scene: Scene, package_arn: str) -> dict[str, object]:
    """Production serves this package, and claims nobody has seen before get a probability and a decision."""
    scene.serves("prod", package_arn)
    claims = [SUSPICIOUS, HARMLESS]
    predictions = score(scene, claims)
    decisions = [each["decision"] for each in predictions]
    must(decisions == ["investigate", "pay"], f"the two claims must be told apart, not {predictions}")
    for claim, each in zip(claims, predictions, strict=True):
        scene.progress.say(
            f"prod scored a {claim['claim_type']} claim over {claim['claim_amount']:.0f}: fraud probability "
            f"{each['fraud_probability']:.3f}, {each['decision']}"
        )
    return {"claims scored": ", ".join(f"{each['fraud_probability']:.3f} {each['decision']}" for each in predictions)}


def score(scene: Scene, claims: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What production answers. Raises botocore's ClientError as any caller would see it."""
    answer = scene.scientist.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=scene.project.endpoint("prod"),
        ContentType="application/json",
        Accept="application/json",
        Body=json.dumps({"records": claims}),
        InferenceId=secrets.token_hex(8),
    )
    predictions: list[dict[str, Any]] = json.loads(answer["Body"].read())["predictions"]
    return predictions
