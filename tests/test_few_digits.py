"""Masses are shown with four digits; their values, and files, keep all."""

import io

import numpy as np
import pytest
from astropy.table import QTable, vstack

from szmass import estimate_masses
from szmass.estimators import estimate_in_pieces
from szmass.estimators.checks import make_check_sample
from szmass.results import MassTable, format_masses, one_method, read_masses, rescale_masses

MASSES = ["msz", "mass_scaling", "mass_errn_scaling", "mass_errp_scaling"]


@pytest.fixture(scope="module")
def table():
    return estimate_masses(make_check_sample(3), ["scaling", "likelihood"], mean=True)


def is_short(table, name):
    number = table[name].value[0]
    shown = "\n".join(table[[name]].pformat(show_unit=False))
    return f"{number:.4g}" in shown and repr(float(number)) not in shown


def test_masses_are_shown_with_four_digits(table):
    assert all(is_short(table, name) for name in [*MASSES, "mean_likelihood"])
    assert f"{table['mass_scaling'][0].value:.4g}</td>" in table._repr_html_()
    assert all(is_short(rescale_masses(table, 0.8), name) for name in MASSES[1:])
    assert is_short(one_method(table, "scaling"), "mass")
    pieces = estimate_in_pieces(make_check_sample(3), "scaling", at_a_time=2)
    assert is_short(pieces, "mass_scaling")
    assert is_short(vstack([table[:1], table[1:]], metadata_conflicts="silent"), "mass_scaling")
    # Numbers stay what they are.
    assert table["mass_scaling"].value[0] != float(f"{table['mass_scaling'].value[0]:.4g}")


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".vot", ".csv"])
@pytest.mark.filterwarnings("ignore:CSV keeps:astropy.utils.exceptions.AstropyUserWarning")
@pytest.mark.filterwarnings("ignore:.*does not say how:astropy.utils.exceptions.AstropyUserWarning")
def test_files_hold_all_digits_and_no_format(table, tmp_path, suffix):
    path = tmp_path / f"masses{suffix}"
    table.write(path)
    content = path.read_bytes()
    assert b"TDISP" not in content
    assert b".4g" not in content
    back = read_masses(path)
    for name in MASSES[1:]:
        np.testing.assert_array_equal(np.asarray(back[name]), table[name].value)
        assert is_short(back, name)
    assert table["mass_scaling"].info.format == ".4g"


@pytest.mark.parametrize("format", ["ascii.csv", "ascii.tab", "ascii.ecsv", "ascii.html"])
def test_text_of_astropy_holds_all_digits(table, format):
    stream = io.StringIO()
    table[["name", "mass_scaling"]].write(stream, format=format)
    assert repr(float(table["mass_scaling"].value[0])) in stream.getvalue()


def test_formats_of_others_are_kept(table):
    own = QTable(table, copy=True)
    own["mass_scaling"].info.format = ".2e"
    assert format_masses(own)["mass_scaling"].info.format == ".2e"
    assert own["redshift"].info.format is None
    assert MassTable(own)["mass_scaling"].info.format == ".2e"


def test_samples_and_catalogues_are_printed_with_four_digits():
    sample = make_check_sample(3)
    number = sample.quantity("msz")[0].value
    text = str(sample)
    assert text.startswith("<ClusterSample: 3 clusters")
    assert f"{number:.4g}" in text
    assert repr(float(number)) not in text
    assert sample.table["msz"].info.format is None
