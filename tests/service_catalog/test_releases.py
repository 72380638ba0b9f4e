"""A release is frozen once, is published as it was frozen, and never changes."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest

from service_catalog import __main__ as command
from service_catalog.catalog import read_catalog
from service_catalog.errors import PublishError
from service_catalog.freeze import freeze
from service_catalog.package import Package, pack_all
from service_catalog.publish import Settings, publish
from service_catalog.releases import FOLDER, Number, number_of, read_release, released
from service_catalog.stacks import Stacks
from service_catalog.target import Target

ROOT = Path(__file__).resolve().parents[2]
STUDIO = "arn:aws:iam::123456789012:role/service-role/StudioExecution"
BUCKET = "sagemaker-mlops-catalog-123456789012-eu-west-1"
CHANGELOG = "# Changes\n\n## Unreleased\n\n- Something new.\n"


def quiet(_: str) -> None:
    pass


def commit(root: Path) -> None:
    git = ["git", "-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-C", str(root)]
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "x"], check=True)


@pytest.fixture
def root(repository: Path) -> Path:
    """A committed repository whose changelog says what is new."""
    (repository / "CHANGELOG.md").write_text(CHANGELOG)
    commit(repository)
    return repository


def go_on(root: Path, text: str) -> None:
    """A change that is worth a further release, committed."""
    (root / "build_repo" / "Makefile").write_text(text)
    changelog = (root / "CHANGELOG.md").read_text()
    (root / "CHANGELOG.md").write_text(changelog.replace("## Unreleased\n", f"## Unreleased\n\n- {text}\n", 1))
    commit(root)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_a_release_freezes_template_archives_and_set_up_with_the_sha256_of_each(root: Path) -> None:
    packed = pack_all(root, quiet)

    assert freeze(root, "1.0.0", quiet)

    folder = root / "releases" / "1.0.0"
    manifest = json.loads((folder / "manifest.json").read_text())
    files = {name: data for name, data in contents(folder).items() if name != "manifest.json"}
    assert manifest["sha256"] == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert set(files) == {packed.template_key, packed.account_setup_key, *(each.key for each in packed.archives)}
    head = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert head.stdout.startswith(manifest["commit"])


ROLE = """  Role:
    Type: AWS::IAM::Role
    Properties: {Description: a role}
"""


def test_a_release_freezes_the_template_in_two_halves_too_for_roles_that_are_made_ahead(root: Path) -> None:
    template = root / "cloudformation" / "project.yaml"
    template.write_text(template.read_text() + ROLE)
    commit(root)

    freeze(root, "1.0.0", quiet)

    halves = read_release(root, "1.0.0", quiet).roles_ahead
    assert halves is not None
    assert set(json.loads(halves.roles)["Resources"]) == {"Role"}
    assert set(json.loads(halves.project)["Resources"]) == {"Topic"}
    assert read_release(root, "1.0.0", quiet).roles_ahead == halves


def test_the_changelog_gives_the_news_the_number_and_the_day_and_begins_anew(root: Path) -> None:
    freeze(root, "1.0.0", quiet)

    assert re.fullmatch(
        r"# Changes\n\n## Unreleased\n\n## 1\.0\.0 \(\d{4}-\d\d-\d\d\)\n\n- Something new\.\n",
        (root / "CHANGELOG.md").read_text(),
    )


def test_the_same_content_again_changes_nothing(root: Path) -> None:
    freeze(root, "1.0.0", quiet)
    before, changelog = contents(root / "releases"), (root / "CHANGELOG.md").read_text()

    assert not freeze(root, "1.0.0", quiet)

    assert (contents(root / "releases"), (root / "CHANGELOG.md").read_text()) == (before, changelog)


def test_other_content_under_a_number_that_is_given_is_refused_and_named(root: Path) -> None:
    freeze(root, "1.0.0", quiet)
    go_on(root, "changed")
    before = contents(root / "releases")

    with pytest.raises(
        PublishError, match=r"released with other content.*seed/modelbuild.*1\.0\.1, 1\.1\.0, 2\.0\.0"
    ) as refused:
        freeze(root, "1.0.0", quiet)

    assert "modeldeploy" not in str(refused.value)
    assert contents(root / "releases") == before


@pytest.mark.parametrize("text", ["", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3-rc1", "1.2.3.4", "latest", "../1.0.0"])
def test_what_is_not_three_numbers_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(PublishError, match=r"is not a version\. Give three numbers.*VERSION=1\.2\.0"):
        number_of(text)


def test_numbers_are_ordered_as_numbers() -> None:
    assert sorted(map(number_of, ("10.0.0", "9.10.0", "9.9.0"))) == [
        Number(9, 9, 0),
        Number(9, 10, 0),
        Number(10, 0, 0),
    ]


def test_a_number_lower_than_the_newest_is_refused(root: Path) -> None:
    freeze(root, "1.10.0", quiet)
    go_on(root, "changed")

    with pytest.raises(PublishError, match=r"1\.9\.0 is lower than the newest release, 1\.10\.0.*1\.10\.1"):
        freeze(root, "1.9.0", quiet)


@pytest.mark.parametrize(
    "path", ["build_repo/Makefile", "deploy_repo/new.py", "cloudformation/account-setup.yaml", "CHANGELOG.md"]
)
def test_what_is_not_committed_is_named_and_nothing_is_released(root: Path, path: str) -> None:
    (root / path).write_text(CHANGELOG + "- More.\n")

    with pytest.raises(PublishError, match=rf"Not everything is committed: {path}\."):
        freeze(root, "1.0.0", quiet)

    assert released(root) == []


@pytest.mark.parametrize("text", [None, "# Changes\n", "## Unreleased\n\n## 0.9.0\n\n- Old.\n"])
def test_without_news_in_the_changelog_nothing_is_released(root: Path, text: str | None) -> None:
    (root / "CHANGELOG.md").unlink()
    if text is not None:
        (root / "CHANGELOG.md").write_text(text)
    commit(root)

    with pytest.raises(PublishError, match=r"says nothing under '## Unreleased'.*write what it brings"):
        freeze(root, "1.0.0", quiet)

    assert released(root) == []


def test_a_release_that_is_not_there_is_refused_with_those_that_are(root: Path) -> None:
    freeze(root, "1.0.0", quiet)
    with pytest.raises(PublishError, match=r"There is no release 1\.1\.0 in .*releases\. There are: 1\.0\.0\."):
        read_release(root, "1.1.0", quiet)


def one(root: Path, pattern: str) -> Path:
    [file] = (root / "releases" / "1.0.0").glob(pattern)
    return file


def test_a_frozen_file_that_was_changed_or_is_missing_is_named(root: Path) -> None:
    freeze(root, "1.0.0", quiet)
    file = one(root, "seed/modelbuild-*")
    file.write_bytes(file.read_bytes() + b"!")
    with pytest.raises(PublishError, match=r"modelbuild-\w+\.zip is not what was released.*git restore"):
        read_release(root, "1.0.0", quiet)
    file.unlink()
    with pytest.raises(PublishError, match=r"modelbuild-\w+\.zip is missing"):
        read_release(root, "1.0.0", quiet)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": {}, "archives": {}, "template": "x"}'])
def test_a_manifest_that_says_something_else_is_refused(root: Path, text: str) -> None:
    freeze(root, "1.0.0", quiet)
    one(root, "manifest.json").write_text(text)
    with pytest.raises(PublishError, match=r"is not a manifest that 'make release' wrote"):
        read_release(root, "1.0.0", quiet)


def test_a_release_whose_folder_was_renamed_is_refused(root: Path) -> None:
    freeze(root, "1.0.0", quiet)
    shutil.copytree(root / "releases" / "1.0.0", root / "releases" / "2.0.0")
    with pytest.raises(PublishError, match=r"2\.0\.0 does not belong together"):
        read_release(root, "2.0.0", quiet)


def test_every_release_of_this_repository_is_what_was_released() -> None:
    packages = {str(each): read_release(ROOT, str(each), quiet) for each in released(ROOT)}

    assert [each.version for each in packages.values()] == list(packages)
    assert {each.name for each in (ROOT / FOLDER).glob("*")} == set(packages)


# ---- publishing releases


def settings(root: Path, release: str) -> Settings:
    return Settings(root=root, release=release, studio_role_arns=(STUDIO,), poll_seconds=0)


def catalog(target: Target) -> Any:
    return read_catalog(Stacks(target.client("cloudformation"), print).template("mlops-catalog"))


def resolve_every_key(target: Target) -> dict[str, int]:
    """How many keys the template of each published version names; each is there and holds what its name says."""
    s3, found = boto3.client("s3"), {}
    for version in catalog(target).versions:
        template_key = version.template_url.split(".amazonaws.com/")[1]
        body = s3.get_object(Bucket=BUCKET, Key=template_key)["Body"].read()
        keys = [template_key, *re.findall(r"[\w/-]+\.zip", body.decode())]
        for key in keys:
            data = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            assert hashlib.sha256(data).hexdigest() in key
        found[version.name] = len(keys)
    return found


def test_releases_are_live_side_by_side_and_every_key_of_each_leads_to_what_it_says(
    target: Target, root: Path, cloudformation: Any
) -> None:
    freeze(root, "1.0.0", quiet)
    go_on(root, "better")
    freeze(root, "1.1.0", quiet)
    go_on(root, "not yet released")

    assert publish(target, settings(root, "1.0.0"), quiet).new
    [first] = catalog(target).versions
    assert publish(target, settings(root, "1.1.0"), quiet).new
    executed = list(cloudformation.executed)

    assert [each.name for each in catalog(target).versions] == ["1.0.0", "1.1.0"]
    assert catalog(target).versions[0] == first
    assert resolve_every_key(target) == {"1.0.0": 4, "1.1.0": 4}

    assert not publish(target, settings(root, "1.0.0"), quiet).new
    assert cloudformation.executed == executed


def test_a_published_number_with_another_template_is_refused(target: Target, root: Path) -> None:
    freeze(root, "1.0.0", quiet)
    publish(target, settings(root, "1.0.0"), quiet)
    before = catalog(target)
    shutil.rmtree(root / "releases")
    go_on(root, "somebody else's 1.0.0")
    freeze(root, "1.0.0", quiet)

    with pytest.raises(PublishError, match=r"1\.0\.0 is already published with another template.*make release"):
        publish(target, settings(root, "1.0.0"), quiet)

    assert catalog(target) == before


def test_an_older_release_leaves_the_account_set_up_as_the_newest_one_wants_it(root: Path) -> None:
    freeze(root, "1.0.0", quiet)
    template = root / "cloudformation" / "account-setup.yaml"
    template.write_text(template.read_text() + "# newer\n")
    go_on(root, "newer")
    freeze(root, "1.1.0", quiet)

    older: Package = read_release(root, "1.0.0", quiet)

    assert older.account_setup == template.read_bytes()
    assert older.version == "1.0.0"


def test_the_command_says_what_to_commit_and_refuses_in_one_line(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "ROOT", root)

    assert command.main(["release", "1.0.0"]) == 0
    assert "git add releases CHANGELOG.md && git commit -m 'Release 1.0.0' && git tag v1.0.0" in capsys.readouterr().out
    assert command.main(["release", "1.0.0"]) == 0
    assert "1.0.0 is released already, with this very content." in capsys.readouterr().out
    assert command.main(["release", "one"]) == 1
    assert capsys.readouterr().err.startswith("\nrelease: 'one' is not a version.")
