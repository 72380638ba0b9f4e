"""Act 5: version 1 is approved while version 2 is on its way: exactly 1 is deployed to staging and tested there."""

from __future__ import annotations

import json

from rehearsal.progress import ActRecord
from rehearsal.scene import Scene, must


def approve(scene: Scene, act: ActRecord) -> None:
    version = scene.project.package_versions[0]
    watch = scene.decide(version, "Approved", "Good enough for the pilot")
    scene.until_asked(watch)
    scene.project.asking = watch.execution_id
    scene.serves("staging", version)
    mail = scene.mail("ApproveProduction", scene.project.prefix)
    custom = json.loads(mail["text"])["approval"]["customData"]
    must("golden records" in custom, f"the approval message must carry the staging tests' figures, not {custom!r}")
    act.facts |= {"deployed": "version 1", "approver reads": custom}
