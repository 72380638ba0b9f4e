"""Act 7: what must not reach people does not, and what reached them can be taken back.

A model below the gate is not registered. A version that breaks under real traffic is rolled back while it is rolled
out, and the old one answers all the time. Rejecting the live version brings back the one before it.
"""

from __future__ import annotations

import io
import math
import tarfile
from concurrent.futures import ThreadPoolExecutor

from rehearsal.acts.edit import turn
from rehearsal.acts.production import records_are_scored
from rehearsal.callers import ANSWERED, Callers
from rehearsal.claims import HARMLESS, SUSPICIOUS
from rehearsal.progress import ActRecord
from rehearsal.scene import Scene, must
from rehearsal.watch import PipelineWatch

HOTFIX = '''

_transform = transform_fn


def transform_fn(model, data, content_type, accept):
    """A bonus by age, added in a hurry: it divides by nought for customers of 33, whom no test has met."""
    response = _transform(model, data, content_type, accept)
    if response.status_code == 200 and content_type == "application/json":
        for record in json.loads(data)["records"]:
            1 / (record["customer_age"] - 33)
    return response
'''
UNLUCKY = {**SUSPICIOUS, "customer_age": 33}
CHANCE = 4.0
"""Standard deviations by which calls may meet the canary more often than its share of the instances."""


def refuse(scene: Scene, act: ActRecord) -> None:
    with ThreadPoolExecutor(1, "gate") as meanwhile:
        gate = meanwhile.submit(scene.progress.along(_below_the_gate), scene)
        act.facts |= _bad_deployment(scene)
        act.facts |= _reject_what_is_live(scene)
        act.facts |= gate.result()


def _below_the_gate(scene: Scene) -> dict[str, object]:
    """The data scientist asks more of the model than it can do: nothing is registered, and the build says why."""
    scene.second_shift.wait()  # builds share this machine's cores, and those of the version before come first
    versions = {each["ModelPackageArn"] for each in scene.packages() if "hotfix" not in description(each)}
    turn(scene.build_folder, r'^(    Threshold\("accuracy", "MinAccuracy", )0\.\d+', lambda front: f"{front}0.99")
    watch = scene.watch_build(scene.push("Ask for 99 percent accuracy"))
    watch.until_failed()
    reason = watch.reason()
    must("accuracy" in reason and "0.99" in reason, f"the build must name the threshold that was missed, not: {reason}")
    after = {each["ModelPackageArn"] for each in scene.packages() if "hotfix" not in description(each)}
    must(after == versions, f"a model below the gate must not be registered, but there is {after - versions}")
    told = next(line for line in reason.splitlines() if "accuracy" in line and "0.99" in line)
    scene.progress.say(f"refused: {told.strip()}")
    return {"below the gate": told.strip()}


def description(package: dict[str, object]) -> str:
    return str(package.get("ModelPackageDescription", ""))


def _bad_deployment(scene: Scene) -> dict[str, object]:
    """A hotfix passes every test and breaks on real claims: the canary's alarm brings the old model back."""
    scene.second_shift.wait()
    watch = scene.decide(_register_hotfix(scene), "Approved", "The fix we need today")
    scene.until_asked(watch)
    scene.second_live.wait()
    live = scene.project.package_versions[1]
    scene.serves("prod", live)
    client, endpoint, canary = scene.scientist.client, scene.project.endpoint("prod"), _canary(scene)
    with Callers(client, endpoint, [UNLUCKY, HARMLESS]) as callers, Callers(client, endpoint, [HARMLESS], 2) as others:
        scene.say_yes(watch)
        watch.until_failed()
        during = callers.count()
        scene.serves("prod", live)
        scene.wait_until(lambda: callers.count()[ANSWERED] > during[ANSWERED] + 20, "answers after the rollback")
        after = callers.count() - during
    broken = during.total() - during[ANSWERED]
    must(broken, "the bad version must have been met by some of the calls, or the alarm was never put to the test")
    failed, calls = callers.worst()
    must(
        near(failed, calls, canary),
        f"the old model must answer all but the canary's {canary:.0%} of the calls; while some failed, "
        f"{failed} of {calls} did",
    )
    heard = others.count()
    must(set(heard) == {ANSWERED}, f"calls that break no version must be answered throughout, not {dict(heard)}")
    must(set(after) <= {ANSWERED} or after.total() - after[ANSWERED] <= 1, f"after the rollback: {dict(after)}")
    reason = watch.reason()
    must("alarm" in reason.lower(), f"the deployment must say which alarm rolled it back, not: {reason}")
    scene.progress.say(f"rolled back by an alarm: {broken} of {during.total()} calls met the bad version")
    return {
        "rolled back": f"{broken} of {during.total()} calls met the bad version, then none",
        "answered throughout": f"{heard.total()} other calls",
    }


def _canary(scene: Scene) -> float:
    """The part of production's traffic that a canary gets: whole instances, as many as its percentage makes at least.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CapacitySize.html
    """
    described = scene.scientist.client("sagemaker").describe_endpoint(EndpointName=scene.project.endpoint("prod"))
    size = described["LastDeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["CanarySize"]
    must(size["Type"] == "CAPACITY_PERCENT", f"the canary's size must be a percentage, not {size}")
    instances = described["ProductionVariants"][0]["DesiredInstanceCount"]
    return float(math.ceil(instances * size["Value"] / 100) / instances)


def near(failed: int, calls: int, share: float) -> bool:
    """Whether no more calls failed than meet a canary of this share, give or take what chance does."""
    return failed <= calls * share + CHANCE * math.sqrt(calls * share * (1 - share))


def _register_hotfix(scene: Scene) -> str:
    """Somebody with all rights packs a model by hand, past the pipeline: the newest version, edited."""
    package = scene.describe_package(scene.project.package_versions[1])
    container = dict(package["InferenceSpecification"]["Containers"][0])
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    s3 = scene.engineer.client("s3")
    archive = io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    edited = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="r:gz") as before, tarfile.open(fileobj=edited, mode="w:gz") as after:
        for member in before.getmembers():
            content = before.extractfile(member)
            data = content.read() if content else b""
            if member.name.endswith("code/inference.py"):
                data += HOTFIX.encode()
                member.size = len(data)
            after.addfile(member, io.BytesIO(data) if content else None)
    hotfix = f"{key.rpartition('/')[0]}/hotfix/model.tar.gz"
    s3.put_object(Bucket=bucket, Key=hotfix, Body=edited.getvalue())
    specification = {
        **package["InferenceSpecification"],
        "Containers": [
            {name: container[name] for name in ("Image", "Environment") if name in container}
            | {"ModelDataUrl": f"s3://{bucket}/{hotfix}"}
        ],
    }
    arn: str = scene.engineer.client("sagemaker").create_model_package(
        ModelPackageGroupName=scene.project.group,
        ModelPackageDescription="A hotfix, packed by hand",
        InferenceSpecification=specification,
        ModelApprovalStatus="PendingManualApproval",
    )["ModelPackageArn"]
    scene.progress.say(f"a hotfix was registered by hand as version {arn.rpartition('/')[2]}")
    return arn


def _reject_what_is_live(scene: Scene) -> dict[str, object]:
    """Production is not content with version 2 after all: version 1 comes back through staging and its tests."""
    first, second = scene.project.package_versions
    scene.serves("prod", second)
    scene.until_gone("staging")  # the deployment before has ended, and nobody needs it: the next one makes it anew
    watch: PipelineWatch = scene.decide(second, "Rejected", "Too many honest customers are investigated")
    watch.until_succeeded()
    scored = records_are_scored(scene, first)
    scene.until_gone("staging")
    back = scene.describe_package(first)
    must(back.get("ModelLifeCycle", {}).get("StageStatus") == "Live", "the registry must show what is live")
    properties = back.get("CustomerMetadataProperties", {})
    must("production.deployed-at" in properties, f"the registry must record when it went live, not {properties}")
    gone = scene.describe_package(second).get("ModelLifeCycle", {})
    must(gone.get("StageStatus") == "Rejected", f"version 2 must be shown as taken back, not {gone}")
    gone_again = "taken down after each deployment, made anew for the next"
    return {
        "back": "version 1",
        "staging": gone_again,
        "recorded": back["ModelLifeCycle"]["StageDescription"],
        **scored,
    }
