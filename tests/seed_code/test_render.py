"""The published template names each archive by its hash, and nothing is left to fill in."""

import pytest

from seed_code import FUNCTIONS, SEEDS, SeedError, Source
from seed_code.archive import Archive
from seed_code.render import render

TEMPLATE = """
Mappings:
  SeedArchives:
    ModelBuild: {Key: "seed/modelbuild-@modelbuild-sha256@.zip"}
    ModelDeploy: {Key: "seed/modeldeploy-@modeldeploy-sha256@.zip"}
  FunctionArchives:
    Project: {Key: "functions/project-@functions-sha256@.zip"}
"""


def archive(source: Source, digit: str) -> Archive:
    return Archive(source, digit * 64, b"", ())


BUILD, DEPLOY = SEEDS
ARCHIVES = (archive(BUILD, "a"), archive(DEPLOY, "b"), archive(FUNCTIONS, "c"))


def test_each_token_becomes_its_hash_and_nothing_else_changes() -> None:
    rendered = render(TEMPLATE, ARCHIVES)

    assert f"seed/modelbuild-{'a' * 64}.zip" in rendered
    assert f"seed/modeldeploy-{'b' * 64}.zip" in rendered
    assert f"functions/project-{'c' * 64}.zip" in rendered
    for name, digit in (("modelbuild", "a"), ("modeldeploy", "b"), ("functions", "c")):
        rendered = rendered.replace(digit * 64, f"@{name}-sha256@")
    assert rendered == TEMPLATE


def test_a_template_without_a_token_is_refused_and_told_what_to_write() -> None:
    with pytest.raises(
        SeedError, match=r"project\.yaml must name .*build_repo.* seed/modelbuild-@modelbuild-sha256@\.zip.* 0 times"
    ):
        render(TEMPLATE.replace("@modelbuild-sha256@", "x"), ARCHIVES, "project.yaml")


def test_a_template_that_looks_for_an_archive_where_none_is_put_is_refused() -> None:
    with pytest.raises(SeedError, match=r"as functions/project-@functions-sha256@\.zip; that occurs 0 times"):
        render(TEMPLATE.replace("functions/project-", "function/project-"), ARCHIVES)


def test_a_template_with_a_token_twice_is_refused() -> None:
    with pytest.raises(SeedError, match="2 times"):
        render(TEMPLATE + "# seed/modeldeploy-@modeldeploy-sha256@.zip", ARCHIVES)


def test_a_token_of_an_archive_that_nothing_packs_is_refused_by_name() -> None:
    with pytest.raises(SeedError, match=r"@other-sha256@.*Known are functions, modelbuild, modeldeploy"):
        render(TEMPLATE + "Key: '@other-sha256@'", ARCHIVES)
