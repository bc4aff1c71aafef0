"""1-b of the literature, and its plot."""

from dataclasses import replace

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
import pytest

from szmass.citations import BIBLIOGRAPHY
from szmass.comparison import fit_mass_ratio, fit_relation, published_one_minus_b
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.plots import plot_one_minus_b


def fit_of(value, errn=0.03, errp=0.04):
    mass = np.linspace(2, 9, 20) * u.Unit("1e14 solMass")
    return replace(fit_mass_ratio(mass, mass), value=value, errn=errn, errp=errp)


def test_values_and_their_papers():
    table = published_one_minus_b()
    assert len(table) == len(set(table["name"])) == 14
    assert np.all((table["one_minus_b"] > 0.5) & (table["one_minus_b"] < 1.1))
    assert np.all((table["errn"] > 0) & (table["errp"] > 0))
    assert set(table["reference"]) <= set(BIBLIOGRAPHY)
    assert set(table.meta["references"]) == set(table["reference"])
    years = [int(reference[:4]) for reference in table["reference"]]
    assert all(
        str(year)[2:] in name
        for year, name in zip(years, table["name"], strict=True)
        if year != 2016
    )
    row = published_one_minus_b(names="planck2015-cmb")[0]
    # 1/(1-b) = 0.99 +- 0.19 turned over
    assert row["one_minus_b"] == pytest.approx(1 / 0.99, abs=0.005)
    assert row["errn"] == pytest.approx(1 / 0.99 - 1 / 1.18, abs=0.005)
    assert row["errp"] == pytest.approx(1 / 0.80 - 1 / 0.99, abs=0.005)
    assert published_one_minus_b(names=["cccp2015"])["errn"][0] == pytest.approx(
        np.hypot(0.05, 0.06), abs=5e-4
    )
    assert published_one_minus_b(names=["cccp2015"])["n"].mask[0]
    assert len(published_one_minus_b(names=[])) == 0


def test_deviation_takes_the_errors_between_the_two():
    names = ["planck2015-cmb"]
    below = published_one_minus_b(fit_of(0.80), names=names)["deviation"][0]
    assert below == pytest.approx((0.80 - 1.01) / np.hypot(0.04, 0.163))
    above = published_one_minus_b(fit_of(1.40), names=names)["deviation"][0]
    assert above == pytest.approx((1.40 - 1.01) / np.hypot(0.03, 0.24))


def test_what_is_no_ratio():
    mass = np.linspace(2, 9, 20) * u.Unit("1e14 solMass")
    relation = fit_relation(mass, mass**1.1 * u.Unit("1e14 solMass") ** -0.1)
    for wrong in (0.8, relation):
        with pytest.raises(InvalidInputError, match="'fit' must be a RelationFit of a ratio"):
            published_one_minus_b(wrong)
    with pytest.raises(UnknownNameError, match="No published 1-b is called 'wtg'.*wtg2014"):
        published_one_minus_b(names=["wtg"])


def test_plot_shows_all_and_the_fit():
    rng = np.random.default_rng(3)
    mass = rng.uniform(3, 9, 30) * u.Unit("1e14 solMass")
    fit = fit_mass_ratio(0.8 * mass * np.exp(rng.normal(0, 0.1, 30)), mass)
    ax = plot_one_minus_b(fit, label="ours")
    table = published_one_minus_b()
    assert [t.get_text() for t in ax.get_yticklabels()] == table["label"].tolist()
    drawn = np.concatenate([bars[0].get_xydata() for bars in ax.containers])
    order = np.argsort(drawn[:, 1])
    np.testing.assert_allclose(drawn[order, 0], table["one_minus_b"])
    labels = ax.get_legend_handles_labels()[1]
    assert any(label.startswith(f"ours: {fit.value:.2f}") for label in labels)
    assert set(table["true_mass"]) <= set(labels)
    assert len(plot_one_minus_b(names=["clash2017"]).get_yticklabels()) == 1
    plt.close("all")
