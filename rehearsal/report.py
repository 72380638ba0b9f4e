"""What a rehearsal leaves to read: report.json."""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rehearsal.budget import budget
from rehearsal.cloud.cloud import Cloud
from rehearsal.progress import Progress

MAXRSS_PER_MIB = 1024**2 if sys.platform == "darwin" else 1024


def versions(cloud: Cloud) -> dict[str, str]:
    """What this rehearsal was played with."""
    base = cloud.settings.environments / "base" / "bin" / "python"
    asked = subprocess.run(
        [str(base), "-c", "from importlib.metadata import version; print(version('ministack'))"],
        capture_output=True,
        text=True,
        check=False,
    )
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False)
    return {
        "python": platform.python_version(),
        "boto3": version("boto3"),
        "cfn-lint": version("cfn-lint"),
        "ministack": asked.stdout.strip() or "unknown",
        "git": git.stdout.strip().removeprefix("git version "),
        "system": platform.platform(),
    }


def resources(cloud: Cloud) -> dict[str, float]:
    """What the cloud itself took so far: memory at its highest (MiB) and processor seconds, and those of the programs
    that ran in it (builds, jobs, endpoints that ended)."""
    used = {
        "cloud_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MAXRSS_PER_MIB,
        "cloud_seconds": time.process_time(),
        "programs_seconds": sum(os.times()[2:4]),
    }
    base = Path(f"/proc/{cloud.base.pid}")
    if base.is_dir():  # Linux only
        peak = re.search(r"VmHWM:\s+(\d+) kB", (base / "status").read_text())
        ticks = (base / "stat").read_text().rpartition(")")[2].split()[11:13]
        used["base_memory"] = int(peak[1]) / 1024 if peak else 0.0
        used["base_seconds"] = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return {name: round(value, 1) for name, value in used.items()}


def names_in_stacks(cloud: Cloud) -> dict[str, str]:
    """The logical ids of the roles that stacks made and named, deleted stacks included."""
    return roles_of_stacks(cloud.client("cloudformation", cloud.identity.root))


def roles_of_stacks(cloudformation: Any) -> dict[str, str]:  # noqa: ANN401 - boto3 is untyped
    """The same, as somebody who may describe every stack."""
    names = {}
    for page in cloudformation.get_paginator("list_stacks").paginate():
        for stack in page["StackSummaries"]:
            events = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack["StackId"])
            for each in events.search("StackEvents[?ResourceType=='AWS::IAM::Role']"):
                name = each.get("PhysicalResourceId", "")
                if name.startswith(stack["StackName"][:40]):
                    names[name] = each["LogicalResourceId"]
    return names


def report(cloud: Cloud, progress: Progress, *, sealed: bool = False) -> dict[str, Any]:
    """What a rehearsal leaves: `ok`, `seconds`, `budget`, `acts`, `faults`, `denied`, `authorised`, `exercised`,
    `outside`, `resources` and `versions`.

    `faults` are those that were switched on: what each struck, and what is promised then. One that struck nothing has
    shown nothing, so that the rehearsal is not `ok`.

    `exercised` is a sorted list of `[role, action]`: what each role was allowed at least once. A role that a stack
    named stands under its logical id, so that the list is the same from run to run.

    `budget` is what the story may take, beside what it took.

    `outside` is what programs asked for beyond this machine: the hosts they reached, and AWS's that were refused.
    """
    exercised = cloud.identity.exercised()
    names = names_in_stacks(cloud)
    return {
        "ok": bool(progress.acts) and all(act.ok for act in progress.acts) and not cloud.faults.missed(),
        "seconds": round(progress.seconds, 1),
        "budget": budget(progress.acts, progress.seconds),
        "acts": [asdict(act) for act in progress.acts],
        "faults": [
            {
                "name": fault.name,
                "struck": cloud.faults.struck(fault.name),
                "promise": f"{fault.ending}: {fault.then}",
            }
            for fault in cloud.faults.chosen
        ],
        "denied": [
            {"principal": each.principal, "action": each.action, "resource": each.resource}
            for each in cloud.identity.denials()
        ],
        "authorised": exercised.total(),
        "exercised": [list(pair) for pair in sorted({(names.get(role, role), action) for role, action in exercised})],
        "outside": {
            "sealed": sealed,
            "reached": sorted(cloud.egress.reached),
            "refused": sorted(set(cloud.egress.refused)),
        },
        "resources": resources(cloud),
        "versions": versions(cloud),
    }


def write(document: dict[str, Any], folder: Path) -> Path:
    """Write report.json and answer its path."""
    path = folder / "report.json"
    path.write_text(json.dumps(document, indent=2, default=str) + "\n")
    return path
