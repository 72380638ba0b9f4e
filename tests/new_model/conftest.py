import os

import pytest
from _pytest.capture import CaptureFixture

from new_model.__main__ import main


@pytest.fixture
def refused(capsys: CaptureFixture[str]):  # noqa: ANN201  # a function
    """Runs `make new-model` and returns the one message it ends with."""

    def run(**given: object) -> str:
        options = {"name": "mine", **given}
        status = main([part for name, value in options.items() for part in (f"--{name}", os.fspath(value))])
        said = capsys.readouterr().err.strip()
        assert (status, said.count("make new-model: ")) == (1, 1), said
        return said.removeprefix("make new-model: ")

    return run
