"""Numbers that come in single precision mean their shortest decimal: 0.1, not 0.10000000149."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from szmass import Cluster, ClusterSample
from szmass._utils.quantities import as_doubles
from szmass.catalogs import load_sample
from szmass.comparison import relative_difference_table
from szmass.networks.published import published_card

EDGES = [0.1, 0.2, 0.4, 1.0]


def make_table(dtype):
    return Table(
        {
            "name": ["a", "b", "c", "d"],
            "ra": [10.0, 20.0, 30.0, 40.0] * u.deg,
            "dec": [1.0, 2.0, 3.0, 4.0] * u.deg,
            "z": np.array(EDGES, dtype),
        }
    )


@pytest.mark.parametrize("dtype", ["f4", ">f4", "f8"])
def test_samples_hold_what_was_meant(dtype):
    sample = ClusterSample.from_table(make_table(dtype))
    assert sample.redshift.tolist() == EDGES
    assert published_card().redshift_bin(sample.redshift).tolist() == [0, 1, 2, 3]


def test_one_cluster():
    coord = ClusterSample.from_table(make_table("f8")).coord[0]
    assert Cluster("a", coord, np.float32(0.1)).redshift == 0.1


@pytest.mark.parametrize("suffix", [".fits", ".vot", ".ecsv"])
def test_ranges_hold_their_upper_end_in_all_files(tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    make_table("f4").write(path, format="votable" if suffix == ".vot" else None)
    assert list(load_sample(path, redshift=(0.1, 0.2)).names) == ["b"]


def test_network_of_catalogues_of_single_precision():
    """PSZ2Catalog keeps 0.2000000030 in double precision: the same network as 0.2."""
    redshift = np.float32(EDGES).astype(float)
    assert np.all(redshift[:3] > EDGES[:3])
    assert published_card().redshift_bin(redshift).tolist() == [0, 1, 2, 3]
    # What is truly above an edge stays there.
    assert published_card().redshift_bin(0.2 + 1e-9) == 2


def test_bins_of_comparisons():
    mass = np.full(4, 5e14) * u.solMass
    rows = [relative_difference_table(mass, mass, np.array(EDGES, d))["n"] for d in ("f4", "f8")]
    assert list(rows[0]) == list(rows[1]) == [1, 1, 1, 1, 4]


def test_shortest_decimals():
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [
            np.round(rng.random(2000), 4),
            rng.random(2000),
            10 ** rng.uniform(-12, 13, 2000),
            [0.0, -0.3, np.nan, np.inf, 16777216.0, 1e-45, 3e38],
        ]
    ).astype(np.float32)
    found = as_doubles(values)
    np.testing.assert_array_equal(found[:-2], values[:-2].astype(str).astype(float))
    np.testing.assert_array_equal(found.astype(np.float32), values)
    assert as_doubles(0.1 + 1e-9) == 0.1 + 1e-9
    assert as_doubles(np.arange(3)).dtype == float
