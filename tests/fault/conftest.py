"""Fixtures shared by the fault tests: processes that can be killed."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def processes() -> Iterator[multiprocessing.context.ForkServerContext]:
    """Processes that are forked from one which has imported everything and opened nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fault_scenarios", "workload"])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # the forking process knows no other way to ours
        yield context
