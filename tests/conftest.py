"""Fixtures and options shared by all tests."""

import os

# Threads beside the processes of the tests slow both down.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import signal
from pathlib import Path

# Where tests run in the background Ctrl-C is not heard, and tests send it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest
from astropy.io.votable import tree
from hypothesis import settings

# Tests write VOTables by ``Table.write`` as users do; its C code damages memory now and then (see
# szmass._tables.files), and would end a later test. Code in Python writes the same bytes.
tree._has_c_tabledata_writer = False

# A busy machine is no fault of the code.
settings.register_profile("szmass", deadline=None)
settings.load_profile("szmass")


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
