"""Mock clusters whose states are told, made as for the fits that ship."""

import importlib.util
from pathlib import Path

import astropy.units as u
import pytest

from szmass.maps import CutoutGeometry

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def load_benchmark():
    def load(name):
        spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def training(load_benchmark):
    return load_benchmark("train_states")


@pytest.fixture(scope="session")
def resolved(training):
    """Fifty clusters behind 20 arcsec, in y and X-rays, with true masses."""
    geometry = CutoutGeometry((121, 121), 14 * u.arcsec)
    mocks = training.resolved_mocks(50, 77, exposure=30.0, depth=1.0, geometry=geometry)
    mocks.table["msz"] = mocks.table["mass_true"]
    return mocks
