"""Whoever owns this repository has proof that its tools still know their project."""

from pathlib import Path

import pytest

from project_tools.project import Project, ProjectNotFoundError, find


def test_the_environment_names_the_project() -> None:
    given = {"SAGEMAKER_PROJECT_NAME": "claims", "SAGEMAKER_PROJECT_ID": "p-1"}

    assert find(Path(), given) == Project("claims", "p-1")
    assert find(Path(), given).build_pipeline == "sagemaker-claims-p-1-modelbuild"


def test_without_a_project_it_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ProjectNotFoundError, match="set SAGEMAKER_PROJECT_NAME and SAGEMAKER_PROJECT_ID"):
        find(tmp_path, {})
