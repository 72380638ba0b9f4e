"""What a rehearsal leaves to read: report.json for programs, and for people the page beside it."""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rehearsal.cloud.cloud import Cloud
from rehearsal.progress import Progress


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


def report(cloud: Cloud, progress: Progress) -> dict[str, Any]:
    """`{"ok", "seconds", "acts", "denied", "versions"}`."""
    denied = [decision for decision in cloud.identity.decisions() if not decision.allowed]
    return {
        "ok": bool(progress.acts) and all(act.ok for act in progress.acts),
        "seconds": round(progress.seconds, 1),
        "acts": [asdict(act) for act in progress.acts],
        "denied": [
            {"principal": each.principal, "action": each.action, "resource": each.resource} for each in denied
        ],
        "authorised": sum(decision.allowed for decision in cloud.identity.decisions()),
        "versions": versions(cloud),
    }


def write(document: dict[str, Any], folder: Path) -> Path:
    """Write report.json and answer its path."""
    path = folder / "report.json"
    path.write_text(json.dumps(document, indent=2, default=str) + "\n")
    return path
