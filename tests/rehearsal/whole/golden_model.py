"""A tiny model that answers as the staging tests of the deploy repository ask: every golden and every bad record.

What it says of any other record is which version it is.
"""

from __future__ import annotations

import json
from typing import Any

from rehearsal.person import REPOSITORY_ROOT
from tests.rehearsal.images import IMAGE
from tests.rehearsal.sagemaker.hosting import CODE, archive
from tests.rehearsal.whole.project_lab import Project

TESTS = REPOSITORY_ROOT / "deploy_repo" / "test"
ASKED = ("answer.json", "bad_records.json", "golden_records.json")
INFERENCE = """
import csv, io, json, os
import flask

def as_text(record):
    return {name: str(value) for name, value in record.items() if value not in (None, "")}

def model_fn(model_dir):
    asked = {}
    for name in ("answer", "bad_records", "golden_records"):
        with open(os.path.join(model_dir, "code", name + ".json")) as file:
            asked[name] = json.load(file)
    with open(model_dir + "/answer.txt") as file:
        return {**asked, "version": file.read().strip()}

def refused(model, text, content_type):
    for bad in model["bad_records"]:
        body = bad["text"] if "text" in bad else json.dumps(bad["json"])
        if text == body and content_type == bad.get("content_type", "application/json"):
            return bad

def predicted(model, record):
    words = model["answer"]
    for golden in model["golden_records"]:
        if as_text(golden["record"]) == as_text(record):
            decision = golden.get("decision") or words["decisions"][0]
            return {words["probability"]: sum(golden["probability"]) / 2, "decision": decision}
    return {words["probability"]: 0.5, "decision": model["version"]}

def transform_fn(model, data, content_type, accept):
    text = data.decode() if isinstance(data, bytes) else data
    bad = refused(model, text, content_type)
    if bad is not None:
        answer = {"error": "bad %s" % bad.get("field"), "field": bad.get("field"), "record": bad.get("record")}
        return flask.Response(json.dumps(answer), status=bad["status"], mimetype="application/json")
    json_given = content_type == "application/json"
    records = json.loads(text)["records"] if json_given else list(csv.DictReader(io.StringIO(text)))
    return json.dumps({"predictions": [predicted(model, record) for record in records]}), accept
"""


def register(project: Project, version: str) -> str:
    """Register such a model, with its held-out records; its package's ARN. It waits for its approval."""
    s3, home = project.company.engineer.client("s3"), project.group
    model, held_out = f"{home}/models/{version}/model.tar.gz", f"{home}/executions/{version}/Evaluate/evaluation/h.json"
    files = {f"code/{name}": (TESTS / name).read_text(encoding="utf-8") for name in ASKED}
    body = archive({**files, "code/inference.py": INFERENCE, "answer.txt": version})
    s3.put_object(Bucket=project.bucket, Key=model, Body=body)
    s3.put_object(Bucket=project.bucket, Key=held_out, Body=json.dumps(_held_out()).encode())
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{project.bucket}/{model}", "Environment": CODE}
    arn: str = project.company.engineer.client("sagemaker").create_model_package(
        ModelPackageGroupName=project.group,
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties={"HeldOutSample": f"s3://{project.bucket}/{held_out}"},
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["application/json", "text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )["ModelPackageArn"]
    return arn


def _held_out() -> dict[str, Any]:
    """The golden records, whose labels are what the model decides: its metrics are perfect."""
    golden = json.loads((TESTS / "golden_records.json").read_text(encoding="utf-8"))
    flagged = json.loads((TESTS / "answer.json").read_text(encoding="utf-8"))["decisions"][1]
    return {
        "of": len(golden),
        "records": [each["record"] for each in golden],
        "labels": [int(each.get("decision") == flagged) for each in golden],
        "metrics": {"accuracy": 1.0, "recall": 1.0},
    }
