"""Fixtures and options shared by all tests."""

import os
from pathlib import Path

import pytest


def pytest_addoption(parser):
    parser.addoption("--run-slow", action="store_true", help="also run tests marked 'slow'")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--run-slow"):
        return
    skip = pytest.mark.skip(reason="slow; run with --run-slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def real_data():
    """Give the path of a published file by its name inside the test-data folder."""
    folder = os.environ.get("SZMASS_TEST_DATA")
    root = Path(folder) if folder else Path(__file__).parents[2] / "shared" / "data"

    def find(name):
        path = root / name
        if not path.exists():
            pytest.skip(f"{name} is not in {root}; set SZMASS_TEST_DATA to the test-data folder")
        return path

    return find
