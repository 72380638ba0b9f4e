"""Quotas of SageMaker Pipelines that a definition, or the execution of one, is held to.

The developer guide's tables as they were last published with their sources:
https://github.com/awsdocs/amazon-sagemaker-developer-guide/blob/939013b2b98741969278768b064db81e45e5dee0/doc_source/pipelines-quotas.md
(https://docs.aws.amazon.com/general/latest/gr/sagemaker.html says which can be raised). Where the schema of pipeline
definitions, which AWS has changed since, says otherwise, it is followed:
https://github.com/aws-sagemaker-mlops/sagemaker-model-building-pipeline-definition-JSON-schema

Not held are the quotas of an account, of which AWS's pages name different ones: how many pipelines there are, how many
executions at the same time, and that one times out after 28 days.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sized
from typing import Any

from rehearsal.cloud.sagemaker.pipeline_members import InvalidDefinition

STEPS = 50
"""Those of branches included."""
BRANCH_STEPS = 20
"""In IfSteps, and as many in ElseSteps."""
CONDITIONS = 200
"""Of a Condition step, and as many in each Or."""
PARAMETERS = 200
"""So many an execution can be given, too:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StartPipelineExecution.html (PipelineParameters)"""
ENUM_VALUES = 16
"""Different ones."""
ENUM_VALUE_LENGTH = 2048
DEFAULT_LENGTH = 4096
"""Of a String; the schema's, the guide has 2,048."""
DESCRIPTION_LENGTH = 4096
"""Of a parameter."""
PROPERTY_FILES = 10
"""Of a pipeline."""
PROPERTY_FILE_BYTES = 2 * 1024 * 1024
"""Seen when a step reads the file."""
JSON_GETS = 200
"""Of a pipeline."""
METADATA = 20
METADATA_VALUE_LENGTH = 1024
METADATA_KEY = re.compile(r"^[A-Za-z0-9\-_]{1,128}$")
PARAMETER_NAME = re.compile(r"^[A-Za-z0-9\-_]{1,64}$")


def at_most(most: int, items: Sized, things: str, holder: str) -> None:
    """Raises InvalidDefinition when there are more than `holder` can have."""
    if len(items) > most:
        raise InvalidDefinition(f"There are {len(items)} {things}, and {holder} can have {most}.")


def no_longer(most: int, text: Any, what: str) -> None:  # noqa: ANN401 - JSON
    """Raises InvalidDefinition for a text that is too long, naming what it is."""
    if isinstance(text, str) and len(text) > most:
        raise InvalidDefinition(f"{what} has {len(text)} characters, and can have {most}.")


def check_metadata(metadata: Any) -> None:  # noqa: ANN401 - JSON
    """The definition's own Metadata: keys and texts. Raises InvalidDefinition."""
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        raise InvalidDefinition("Expecting start of Json Object for Metadata.")
    at_most(METADATA, metadata, "keys in Metadata", "a pipeline")
    for key, value in metadata.items():
        if not METADATA_KEY.fullmatch(key):
            raise InvalidDefinition(f"Key '{key}' of Metadata must match {METADATA_KEY.pattern}.")
        if not isinstance(value, str):
            raise InvalidDefinition(f"Value of key [{key}] of Metadata must be a text.")
        no_longer(METADATA_VALUE_LENGTH, value, f"Value of key [{key}] of Metadata")


def json_gets(value: Any) -> Iterator[Any]:  # noqa: ANN401 - JSON
    """Every Std:JsonGet inside `value`."""
    if isinstance(value, list):
        for item in value:
            yield from json_gets(item)
    elif isinstance(value, dict):
        for name, argument in value.items():
            if name == "Std:JsonGet":
                yield argument
            yield from json_gets(argument)
