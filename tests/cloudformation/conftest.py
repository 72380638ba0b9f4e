from __future__ import annotations

import pytest

from checks.template_file import ACCOUNT_PARAMETERS, ACCOUNT_SETUP, PROJECT, WORST_CASE, Template


@pytest.fixture(scope="session")
def project() -> Template:
    """cloudformation/project.yaml with the longest names."""
    return Template(PROJECT, WORST_CASE)


@pytest.fixture(scope="session")
def account_setup() -> Template:
    """cloudformation/account-setup.yaml with everything switched on."""
    return Template(ACCOUNT_SETUP, ACCOUNT_PARAMETERS)
