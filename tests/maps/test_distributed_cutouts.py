"""Maps in other processes, and cutouts on a Dask cluster."""

import pickle
import sys

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from szmass.exceptions import MissingDependencyError
from szmass.maps import ComptonMap, CutoutGeometry

NSIDE = 64
GEOMETRY = CutoutGeometry((8, 10), 30 * u.arcmin)
COORD = SkyCoord(np.arange(0, 350, 17), np.arange(-80, 88, 8), unit="deg", frame="galactic")


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(0, 1e-6, 12 * NSIDE**2).astype(np.float32)


@pytest.fixture
def opened(tmp_path, values):
    path = tmp_path / "map.fits"
    healpy.write_map(path, values, column_names=["y"], dtype=np.float32)
    return ComptonMap.read(path, frame="galactic", beam=10 * u.arcmin)


def test_a_pickled_map_of_a_file_holds_no_pixels(opened):
    pickled = pickle.dumps(opened)
    assert len(pickled) < 5000
    opened.beam = 7 * u.arcmin
    again = pickle.loads(pickle.dumps(opened))  # noqa: S301
    assert repr(again) == repr(opened)
    np.testing.assert_array_equal(again.cutouts(COORD).data, opened.cutouts(COORD).data)


def test_a_pickled_map_in_memory_holds_its_pixels(values):
    ymap = ComptonMap.from_healpix(values, ordering="ring", frame="galactic")
    again = pickle.loads(pickle.dumps(ymap))  # noqa: S301
    np.testing.assert_array_equal(again.cutouts(COORD).data, ymap.cutouts(COORD).data)


def test_a_cluster_gives_the_same_cutouts(opened, values):
    distributed = pytest.importorskip("distributed")
    inside = ComptonMap.from_healpix(values, ordering="ring", frame="galactic", beam=opened.beam)
    names = [f"c{i}" for i in range(len(COORD))]
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as client:
        for ymap in (opened, inside):
            for where in (client, client.scheduler.address):
                chunks = list(
                    ymap.iter_cutouts(
                        COORD, names=names, geometry=GEOMETRY, chunk_size=2, client=where
                    )
                )
                assert [len(chunk) for chunk in chunks] == [2] * 10 + [1]
                assert np.concatenate([c.names for c in chunks]).tolist() == names
                np.testing.assert_array_equal(
                    np.concatenate([c.data for c in chunks]),
                    ymap.cutouts(COORD, geometry=GEOMETRY).data,
                )
        # Left half-way, it takes back what it asked for.
        chunks = opened.iter_cutouts(COORD, geometry=GEOMETRY, chunk_size=1, client=client)
        assert next(chunks).names.tolist() == [""]
        chunks.close()


def test_a_cluster_needs_an_extra(opened, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"szmass\[distributed\]"):
        next(opened.iter_cutouts(COORD, client="tcp://127.0.0.1:1"))
