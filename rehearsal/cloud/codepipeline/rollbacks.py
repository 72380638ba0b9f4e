"""Rolling a stage back: a new execution plays this one stage with what an earlier, successful execution brought.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback-auto.html
"""

from __future__ import annotations

import copy

from rehearsal.cloud.codepipeline.records import Execution, Pipeline


def rolling_back(pipeline: Pipeline, target: Execution, trigger_type: str, trigger_detail: str) -> Execution:
    """The execution that brings `target` back: its variables, artifacts and source revisions."""
    return Execution(
        number=len(pipeline.executions) + 1,
        pipeline_name=pipeline.name,
        declaration=pipeline.declaration,
        trigger_type=trigger_type,
        trigger_detail=trigger_detail,
        variables=dict(target.variables),
        source_revisions=list(target.source_revisions),
        artifacts=dict(target.artifacts),
        namespaces=copy.deepcopy(target.namespaces),
        artifact_revisions=list(target.artifact_revisions),
        revisions_by_action=list(target.revisions_by_action),
        execution_type="ROLLBACK",
        rollback_target=target.execution_id,
    )


def last_success(pipeline: Pipeline, stage: str, failed: Execution) -> Execution | None:
    """What a failed stage goes back to by itself: "the most recent successful execution" of this structure version.

    None when there is none. A rollback is no target, and one that fails is not rolled back in its turn.
    """
    if failed.execution_type == "ROLLBACK" or failed.version != pipeline.declaration["version"]:
        return None
    for execution in pipeline.executions:  # newest first
        good = execution is not failed and stage in execution.succeeded_stages
        if good and execution.execution_type == "STANDARD" and execution.version == failed.version:
            return execution
    return None
