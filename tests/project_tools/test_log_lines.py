"""The one line of a log that matters, in logs as the tools of the seeds really write them."""

from __future__ import annotations

import textwrap

import pytest
from project_tools.log_lines import significant

AGENT = "[Container] 2026/11/20 12:00:00.123456 "

LOGS = {
    "a refusal of one of our verbs": (
        """
        .venv/bin/python build.py
        make build: The model package arn:aws:sagemaker:x is Rejected, not Approved; it may have been rejected.
        Approve it in the Model Registry if it is to be deployed; that starts the deployment by itself.
        make: *** [Makefile:49: build] Error 1
        """,
        "make build: The model package arn:aws:sagemaker:x is Rejected, not Approved; it may have been rejected.",
    ),
    "a failing test, with pytest's summary": (
        """
        =================================== FAILURES ===================================
        >       assert features == 3
        E       assert 2 == 3
        tests/test_features.py:12: AssertionError
        =========================== short test summary info ============================
        FAILED tests/test_features.py::test_three_features - assert 2 == 3
        FAILED tests/test_model.py::test_learns - ValueError: no rows
        2 failed, 40 passed in 3.10s
        make: *** [Makefile:45: test] Error 1
        """,
        "FAILED tests/test_features.py::test_three_features - assert 2 == 3",
    ),
    "a test file that cannot be imported": (
        """
        ERROR collecting tests/test_features.py
        ImportError while importing test module 'tests/test_features.py'.
        Traceback:
        tests/test_features.py:1: in <module>
            import featuers
        E   ModuleNotFoundError: No module named 'featuers'
        =========================== short test summary info ============================
        ERROR tests/test_features.py
        !!!!!!!!!!!!!!!!!!!! Interrupted: 1 error during collection !!!!!!!!!!!!!!!!!!!!
        make: *** [Makefile:45: test] Error 2
        """,
        "ModuleNotFoundError: No module named 'featuers'",
    ),
    "the last of chained exceptions": (
        """
        Traceback (most recent call last):
          File "read.py", line 3, in read
            return table["amount"]
        KeyError: 'amount'

        The above exception was the direct cause of the following exception:

        Traceback (most recent call last):
          File "main.py", line 9, in <module>
            main()
        ValueError: the table has no column amount
        Some more output
        """,
        "ValueError: the table has no column amount",
    ),
    "what a step says after its traceback": (
        """
        Traceback (most recent call last):
          File "train.py", line 12, in main
        KeyError: 'depth'
        error: train.py, line 12, in main: KeyError: 'depth'
        """,
        "error: train.py, line 12, in main: KeyError: 'depth'",
    ),
    "a finding of ruff": (
        """
        F401 [*] `os` imported but unused
         --> steps/train.py:3:8
          |
        Found 1 error.
        make: *** [Makefile:38: lint] Error 1
        """,
        "F401 [*] `os` imported but unused",
    ),
    "a file that is not formatted": (
        """
        All checks passed!
        Would reformat: steps/train.py
        1 file would be reformatted, 20 files already formatted
        make: *** [Makefile:39: lint] Error 1
        """,
        "Would reformat: steps/train.py",
    ),
    "an installer that reaches no index": (
        """
        WARNING: Location is ignored
        error: Failed to fetch: `https://packages.example.org/simple/boto3/`
          Caused by: Could not connect, are you offline?
        make: *** [Makefile:64: .venv/installed] Error 2
        """,
        "error: Failed to fetch: `https://packages.example.org/simple/boto3/`",
    ),
    "a verb the Makefile does not have": (
        """
        make: *** No rule to make target 'pipelin'.  Stop.
        """,
        "make: *** No rule to make target 'pipelin'.  Stop.",
    ),
    "a program that is not there": (
        """
        /bin/sh: 1: ruff: not found
        make: *** [Makefile:38: lint] Error 127
        """,
        "/bin/sh: 1: ruff: not found",
    ),
    "an exception without a traceback": (
        """
        Reading s3://bucket/claims.csv
        botocore.exceptions.ClientError: An error occurred (NoSuchKey) when calling the GetObject operation
        """,
        "botocore.exceptions.ClientError: An error occurred (NoSuchKey) when calling the GetObject operation",
    ),
    "data that breaks the contract": (
        """
        claims.csv breaks the data contract (steps/claims_contract.py).
        record 3, column claim_amount: is -4, expected 0 to 1e+06
        """,
        "claims.csv breaks the data contract (steps/claims_contract.py).",
    ),
    "nothing but a word": (
        """
        starting
        Killed
        done
        """,
        "Killed",
    ),
}


@pytest.mark.parametrize("name", LOGS)
def test_the_line_is_found(name: str) -> None:
    log, line = LOGS[name]

    found = significant(textwrap.dedent(log).strip().splitlines())

    assert found is not None
    assert found.line == line


def test_only_what_the_failed_command_printed_counts() -> None:
    log = [
        f"{AGENT}Running command make lint",
        "ValueError: a warning of an earlier command that went well",
        f"{AGENT}Running command make build",
        "Traceback (most recent call last):",
        '  File "x.py", line 1, in <module>',
        "KeyError: 'this one'",
        f"{AGENT}Command did not exit successfully make build exit status 1",
        f"{AGENT}Running command make tidy",
        "OSError: a consequence in a later phase",
        f"{AGENT}Command did not exit successfully make tidy exit status 1",
    ]

    found = significant(log)

    assert found is not None
    assert found.line == "KeyError: 'this one'"


def test_a_command_that_says_nothing_is_named_itself() -> None:
    log = [f"{AGENT}Running command false", f"{AGENT}Command did not exit successfully false exit status 1"]

    found = significant(log)

    assert found is not None
    assert (found.line, found.strong) == ("Command did not exit successfully false exit status 1", False)


def test_what_belongs_to_a_refusal_comes_along() -> None:
    found = significant(["make pipeline: These environment variables must be set:", "  ROLE: what for", "make: *** 1"])

    assert found is not None
    assert found.more == ("  ROLE: what for",)


def test_colours_and_quotation_marks_are_taken_off() -> None:
    found = significant(["  | \x1b[31mKeyError: 'depth'\x1b[0m"])

    assert found is not None
    assert found.line == "KeyError: 'depth'"


def test_an_empty_log_has_no_line() -> None:
    assert significant(["", "  "]) is None
