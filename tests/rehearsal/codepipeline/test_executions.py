"""How executions move through a pipeline."""

from __future__ import annotations


from pipeline_lab import Lab, build, stage


def test_creating_a_pipeline_starts_it(lab: Lab) -> None:
    declaration = lab.declaration("created", stage("Build", build()))
    execution = lab.finished(declaration["name"], lab.create(declaration))
    assert execution["status"] == "Succeeded"
    assert execution["trigger"]["triggerType"] == "CreatePipeline"
