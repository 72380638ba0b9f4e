from __future__ import annotations

from pathlib import Path

import pytest
from template_file import ACCOUNT_PARAMETERS, ACCOUNT_SETUP, PROJECT, WORST_CASE, Template


@pytest.fixture(scope="session")
def project() -> Template:
    """cloudformation/project.yaml with the longest names."""
    return Template(PROJECT, WORST_CASE)


@pytest.fixture(scope="session")
def account_setup() -> Template:
    """cloudformation/account-setup.yaml with everything switched on."""
    return Template(ACCOUNT_SETUP, ACCOUNT_PARAMETERS)


@pytest.fixture(scope="session")
def careless() -> Template:
    """A template that breaks every rule of template_rules.py."""
    return Template(Path(__file__).parent / "fixtures" / "careless.yaml", {})
