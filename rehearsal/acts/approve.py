"""Act 5: version 1 is approved while version 2 is on its way: exactly 1 is deployed to staging and tested there.

Not by the data scientist who built it, who is denied both approvals; nor does the approver build anything.
"""

from __future__ import annotations

import json

from rehearsal.person import Person
from rehearsal.progress import ActRecord
from rehearsal.scene import Scene, must
from rehearsal.watch import PipelineWatch, StoryError


def approve(scene: Scene, act: ActRecord) -> None:
    version = scene.project.package_versions[0]
    _duties_are_separated(scene, version)
    watch = scene.decide(version, "Approved", "Good enough for the pilot")
    scene.until_asked(watch)
    scene.project.asking = watch.execution_id
    _production_is_not_the_builders_to_approve(scene, watch)
    scene.serves("staging", version)
    mail = scene.mail("ApproveProduction", scene.project.prefix)
    approval = json.loads(mail["text"])["approval"]
    custom = approval["customData"]
    must("golden records" in custom, f"the approval message must carry the staging tests' figures, not {custom!r}")
    for told in ("held-out records as evaluated", "p99", "make rollback", "expires after 7 days"):
        must(told in custom, f"the approval message must say {told!r}, and says {custom!r}")
    must("/approvals/" in approval["externalEntityLink"], "the approval message must link to the approver's page")
    act.facts |= {"deployed": "version 1", "denied": "the builder's own approvals", "approver reads": custom}


def _duties_are_separated(scene: Scene, version: str) -> None:
    def approve_it(person: Person) -> None:
        person.client("sagemaker").update_model_package(ModelPackageArn=version, ModelApprovalStatus="Approved")

    def start_a_build(person: Person) -> None:
        person.client("codepipeline").start_pipeline_execution(name=scene.project.build_pipeline)

    told = scene.refused(scene.scientist, "approve the version they built", approve_it)
    must("explicit deny" in told, f"the denial must hold whatever else the role is given, not only: {told}")
    scene.refused(scene.approver, "build a version", start_a_build)


def _production_is_not_the_builders_to_approve(scene: Scene, watch: PipelineWatch) -> None:
    question = watch.waiting_approval(watch.execution_id)
    if question is None:
        raise StoryError("the question before production is gone before anybody answered it")

    def say_yes(person: Person) -> None:
        person.client("codepipeline").put_approval_result(
            pipelineName=watch.pipeline,
            stageName=question.stage,
            actionName=question.action,
            token=question.token,
            result={"summary": "Trust me", "status": "Approved"},
        )

    scene.refused(scene.scientist, "approve production", say_yes)
