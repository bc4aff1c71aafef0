"""Relative differences of two sets of masses."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn
from astropy.utils.masked import Masked
from hypothesis import given, settings
from hypothesis import strategies as st

from szmass.comparison import format_difference_table, relative_difference_table
from szmass.exceptions import InvalidInputError, InvalidUnitError


def masses(*values):
    return np.array(values, dtype=float) * 1e14 * u.solMass


def test_by_hand():
    # Differences 0.5, 0.25 (massive: the second), then one cluster on an edge.
    table = relative_difference_table(
        masses(2, 8, 4), masses(1, 6, 5), [0.05, 0.1, 0.2], redshift_bins=(0, 0.1, 0.2)
    )
    first, second, total = table
    assert list(table["n"]) == [2, 1, 3]
    assert list(table["n_massive"]) == [1, 0, 1]
    assert first["mean"] == first["median"] == pytest.approx(0.375)
    assert first["std"] == pytest.approx(0.25 / np.sqrt(2))
    assert first["mean_massive"] == pytest.approx(0.25)
    assert np.isnan(first["std_massive"])
    assert second["mean"] == pytest.approx(-0.25)
    assert np.isnan(second["mean_massive"])
    assert total["median"] == pytest.approx(0.25)
    assert (total["redshift_min"], total["redshift_max"]) == (0, 0.2)


def test_unit_of_mass_does_not_matter():
    a, b, z = masses(2, 8, 4), masses(1, 6, 5), [0.05, 0.1, 0.2]
    table = relative_difference_table(a, b, z)
    other = relative_difference_table(a.to("kg"), b.to("1e14 solMass"), z)
    np.testing.assert_allclose(other["mean"], table["mean"], rtol=1e-12)
    np.testing.assert_array_equal(other["n_massive"], table["n_massive"])


def test_what_is_unknown_is_left_out_and_counted():
    a = Masked(masses(2, 3, 4, 5, 6, 7), mask=[1, 0, 0, 0, 0, 0])
    b = masses(1, np.nan, 3, 4, 5, 6)
    z = MaskedColumn([0.1, 0.1, 0.1, 0.3, 1.5, 0.0], mask=[0, 0, 1, 0, 0, 0])
    table = relative_difference_table(a, b, z)
    assert list(table["n"]) == [0, 0, 1, 0, 1]
    assert table.meta["n_invalid"] == 3
    assert table.meta["n_outside"] == 2
    assert table["mean"][2] == pytest.approx(0.2)


def test_no_clusters():
    table = relative_difference_table([] * u.solMass, [] * u.solMass, [])
    assert table["n"].sum() == 0
    assert np.isnan(table["mean"]).all()
    assert "nan" in format_difference_table(table)


def test_ddof():
    a, b, z = masses(1, 2, 4), masses(1, 1, 1), [0.3, 0.3, 0.3]
    population = relative_difference_table(a, b, z, ddof=0)["std"][2]
    assert population == pytest.approx(np.std([0, 0.5, 0.75]))
    sample = relative_difference_table(a, b, z)["std"][2]
    assert sample == pytest.approx(population * np.sqrt(3 / 2))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(1, 20), st.floats(0.3, 3), st.floats(0.01, 1)), min_size=2, max_size=30
    )
)
def test_bins_add_up_to_the_whole(clusters):
    a, ratio, z = np.array(clusters).T
    table = relative_difference_table(a * 1e14 * u.solMass, a * ratio * 1e14 * u.solMass, z)
    for suffix in ("", "_massive"):
        n, mean = table[f"n{suffix}"], np.nan_to_num(table[f"mean{suffix}"])
        assert n[:-1].sum() == n[-1]
        np.testing.assert_allclose((n * mean)[:-1].sum(), (n * mean)[-1], atol=1e-9)
    assert table["n"][-1] == len(clusters)
    assert table["mean"][-1] == pytest.approx(np.mean(1 - ratio))


def test_layout():
    a, b = masses(2, 4, 8, 9), masses(1, 3, 7, 6)
    text = format_difference_table(
        relative_difference_table(a, b, [0.05, 0.08, 0.3, 0.35]), digits=2
    )
    lines = text.splitlines()
    assert lines[0].endswith("log10 M > 14.7")
    assert lines[1].split() == ["0-0.1", "2", "0.38", "+-", "0.18", "0", "nan", "+-", "nan"]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"mass_a": [1.0, 2.0]}, InvalidUnitError, "'mass_a' must be a Quantity"),
        ({"mass_b": [1.0, 2.0] * u.keV}, InvalidUnitError, "'mass_b' must have a unit"),
        ({"mass_b": masses(1, -1)}, InvalidInputError, "'mass_b' must be positive"),
        ({"mass_b": masses(1)}, InvalidInputError, "arrays of one length.*\\(1,\\)"),
        ({"redshift": [0.1]}, InvalidInputError, "arrays of one length"),
        ({"redshift_bins": (0, 0.2, 0.1)}, InvalidInputError, "increasing edges"),
        ({"redshift_bins": (0,)}, InvalidInputError, "at least two"),
    ],
)
def test_bad_input(kwargs, error, message):
    arguments = {"mass_a": masses(1, 2), "mass_b": masses(1, 2), "redshift": [0.1, 0.2]} | kwargs
    with pytest.raises(error, match=message):
        relative_difference_table(**arguments)
