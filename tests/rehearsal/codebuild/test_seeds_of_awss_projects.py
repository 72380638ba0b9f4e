"""What the buildspecs of AWS's own project templates lean on."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.rehearsal.codebuild.conftest import Lab, failed_phase

OLDER_IMAGES = ("aws/codebuild/amazonlinux2-x86_64-standard:3.0", "aws/codebuild/standard:5.0")


def source(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "buildspec.yml").write_text(text)
    return folder


def test_files_of_an_artifact_may_be_named_by_the_builds_variables(lab: Lab, tmp_path: Path) -> None:
    spec = (
        "version: 0.2\nenv: {variables: {WHERE: out, EXPORT: template.yml, LEFT_OUT: notes.txt}}\n"
        "phases: {build: {commands: [mkdir out, touch out/template.yml out/notes.txt out/other.txt]}}\n"
        "artifacts: {base-directory: $WHERE, files: [$EXPORT, '*.txt'], exclude-paths: ['${LEFT_OUT}']}\n"
    )
    project = lab.project("named")
    build = lab.play(project, source(tmp_path / "named", spec), outputs=["Out"])
    assert build["buildStatus"] == "SUCCEEDED", lab.log(build)
    assert sorted(lab.artifact(project, "Out")) == ["other.txt", "template.yml"]


def test_a_pipelines_build_need_not_fill_its_artifact(lab: Lab, tmp_path: Path) -> None:
    project = lab.project("bare")
    spec = "version: 0.2\nphases: {build: {commands: ['true']}}\n"
    build = lab.play(project, source(tmp_path / "bare", spec), outputs=["Out"])
    assert build["buildStatus"] == "SUCCEEDED", lab.log(build)
    assert "Contents" not in lab.s3.list_objects_v2(Bucket="artifacts", Prefix=f"out/{project}/")


@pytest.mark.parametrize("image", OLDER_IMAGES)
def test_images_that_awss_templates_still_name_are_played(lab: Lab, tmp_path: Path, image: str) -> None:
    spec = "version: 0.2\nphases: {{install: {{runtime-versions: {{python: {version}}}, commands: ['true']}}}}\n"
    environment = {"type": "LINUX_CONTAINER", "image": image, "computeType": "BUILD_GENERAL1_SMALL"}
    project = lab.project("older", environment=environment)
    played = lab.play(project, source(tmp_path / "has", spec.format(version="3.8")))
    assert played["buildStatus"] == "SUCCEEDED", lab.log(played)
    refused = lab.play(project, source(tmp_path / "lacks", spec.format(version="3.13")))
    assert "Unknown runtime version named '3.13' of python" in failed_phase(refused)[2]


WHEEL = """\
import zipfile
with zipfile.ZipFile("boto3-99.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("boto3/__init__.py", "OWN = True")
    wheel.writestr("boto3-99.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: boto3\\nVersion: 99.0\\n")
    wheel.writestr(
        "boto3-99.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    )
    wheel.writestr("boto3-99.0.dist-info/RECORD", "")
"""
USES_THE_SDK = "python -c 'import boto3, yaml; boto3.client(\\\"s3\\\")'"


def test_the_images_python_has_the_aws_sdk_and_a_build_may_replace_it_for_itself(lab: Lab, tmp_path: Path) -> None:
    """As AWS's seeds do: `pip install --upgrade --force-reinstall boto3`. It must not reach beyond the build."""
    commands = [
        USES_THE_SDK,
        "python wheel.py",
        "pip install --quiet --no-index --upgrade --force-reinstall ./boto3-99.0-py3-none-any.whl",
        "python -c 'import boto3; assert boto3.OWN'",
    ]
    listed = "".join(f'      - "{command}"\n' for command in commands)
    folder = source(tmp_path / "sdk", f"version: 0.2\nphases:\n  build:\n    commands:\n{listed}")
    (folder / "wheel.py").write_text(WHEEL)
    project = lab.project("sdk")
    for build in (lab.play(project, folder), lab.play(project, folder)):  # the second finds it as the first did
        assert build["buildStatus"] == "SUCCEEDED", lab.log(build)
    assert all(Path(str(file.locate())).exists() for file in distribution("boto3").files or ())
