"""Act 6: a person says yes; production answers real records. Then version 2 follows, and traffic shifts to it."""

from __future__ import annotations

import json
import secrets
from typing import Any

from rehearsal.progress import ActRecord
from rehearsal.scene import Scene, must

SHOWN = 4
"""Members of a record that are told."""


def production(scene: Scene, act: ActRecord) -> None:
    first_version(scene, act)
    scene.second_version.wait()
    watch = scene.decide(scene.project.package_versions[1], "Approved", "Finds more of the fraud")
    scene.until_asked(watch)
    scene.mail("ApproveProduction", "metrics (and of live version 1): accuracy")
    scene.say_yes(watch)
    scene.second_shift.reach()
    watch.until_succeeded()
    shifted = records_are_scored(scene, scene.project.package_versions[1])
    scene.second_live.reach()
    act.facts |= {"then": "version 2 by canary", "scored by version 2": shifted["scored"]}


def first_version(scene: Scene, act: ActRecord) -> None:
    """The version that waits goes into production and answers."""
    watch = scene.watch(scene.project.deploy_pipeline, scene.project.asking)
    scene.say_yes(watch)
    watch.until_succeeded()
    act.facts |= records_are_scored(scene, scene.project.package_versions[0])


def records_are_scored(scene: Scene, package_arn: str) -> dict[str, object]:
    """Production serves this package, and answers a record of each kind with a probability and the right decision."""
    scene.serves("prod", package_arn)
    records, decisions = zip(*scene.questions.asked, strict=True)
    predictions = score(scene, list(records))
    found = [each["decision"] for each in predictions]
    must(found == list(decisions), f"the records must be told apart as {decisions}, not {predictions}")
    told = [f"{each[scene.questions.probability]:.3f} {each['decision']}" for each in predictions]
    for record, answer in zip(records, told, strict=True):
        shown = ", ".join(f"{name} {value}" for name, value in list(record.items())[:SHOWN])
        scene.progress.say(f"prod scored a record with {shown}, ...: {answer}")
    return {"scored": ", ".join(told)}


def score(scene: Scene, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What production answers. Raises botocore's ClientError as any caller would see it."""
    answer = scene.scientist.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=scene.project.endpoint("prod"),
        ContentType="application/json",
        Accept="application/json",
        Body=json.dumps({"records": records}),
        InferenceId=secrets.token_hex(8),
    )
    predictions: list[dict[str, Any]] = json.loads(answer["Body"].read())["predictions"]
    return predictions
