"""What tests need from the machine, and say so."""

import pytest


def requires_tool(name: str) -> pytest.MarkDecorator:
    """Mark a test (or a module, as `pytestmark`) that runs a program: without it the test is skipped.

    Under CI=true it fails, so that no test is left out there for good and nobody notices.
    """
    return pytest.mark.requires_tool(name)
