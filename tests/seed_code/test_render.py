"""The published template names each archive by its hash, and nothing is left to fill in."""

import pytest

from seed_code import SeedError
from seed_code.render import render

TEMPLATE = """
Mappings:
  SeedArchives:
    ModelBuild: {Key: "seed/modelbuild-@modelbuild-sha256@.zip"}
    ModelDeploy: {Key: "seed/modeldeploy-@modeldeploy-sha256@.zip"}
"""
HASHES = {"modelbuild": "a" * 64, "modeldeploy": "b" * 64}


def test_each_token_becomes_its_hash_and_nothing_else_changes() -> None:
    rendered = render(TEMPLATE, HASHES)

    assert f"seed/modelbuild-{'a' * 64}.zip" in rendered
    assert f"seed/modeldeploy-{'b' * 64}.zip" in rendered
    assert rendered.replace("a" * 64, "@modelbuild-sha256@").replace("b" * 64, "@modeldeploy-sha256@") == TEMPLATE


def test_a_template_without_a_token_is_refused_and_told_what_to_write() -> None:
    with pytest.raises(
        SeedError, match=r"project\.yaml must name .* seed/modelbuild-@modelbuild-sha256@\.zip.* 0 times"
    ):
        render(TEMPLATE.replace("@modelbuild-sha256@", "x"), HASHES, "project.yaml")


def test_a_template_with_a_token_twice_is_refused() -> None:
    with pytest.raises(SeedError, match="2 times"):
        render(TEMPLATE + "# @modeldeploy-sha256@", HASHES)


def test_a_token_of_an_archive_that_nothing_packs_is_refused_by_name() -> None:
    with pytest.raises(SeedError, match=r"@functions-sha256@.*Known are modelbuild, modeldeploy"):
        render(TEMPLATE + "Key: '@functions-sha256@'", HASHES)
