"""Plots of masses and of their differences: what is drawn from which numbers."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable

from szmass.comparison import fit_mass_ratio, fit_relation
from szmass.exceptions import InvalidInputError, InvalidUnitError
from szmass.plots import (
    plot_error_distribution,
    plot_mass_comparison,
    plot_mass_redshift,
    plot_relative_error,
    plot_residuals,
)

pytest.importorskip("matplotlib").use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def masses(n=400, seed=0, bias=0.1, scatter=0.15):
    """Give masses with (M - M_true) / M of known mean and scatter."""
    rng = np.random.default_rng(seed)
    table = QTable({"name": [f"c{i}" for i in range(n)]})
    table["redshift"] = rng.uniform(0.01, 1, n)
    mass = 10 ** rng.uniform(14.2, 15.1, n)
    table["mass_cnn_a"] = mass * u.solMass
    table["mass_errn_cnn_a"] = table["mass_errp_cnn_a"] = 0.1 * mass * u.solMass
    table["mass_true"] = mass * (1 - rng.normal(bias, scatter, n)) * u.solMass
    table.meta["methods"] = {"cnn-a": {}}
    return table


def text(ax):
    legend = ax.get_legend()
    return [legend.get_title().get_text(), *(t.get_text() for t in legend.get_texts())]


def points(ax):
    return next(c for c in ax.collections if hasattr(c, "get_sizes"))


def test_masses_against_each_other():
    table = masses(50)
    ax = plot_mass_comparison(table, "mass_true", "cnn-a")
    offsets = points(ax).get_offsets()
    np.testing.assert_allclose(offsets[:, 0], table["mass_true"].value / 1e14)
    np.testing.assert_allclose(offsets[:, 1], table["mass_cnn_a"].value / 1e14)
    assert ax.get_xlabel() == r"true $M_{500}$ [$10^{14}\,M_\odot$]"
    assert ax.get_ylabel() == r"cnn-a $M_{500}$ [$10^{14}\,M_\odot$]"
    assert ax.get_xscale() == ax.get_yscale() == "log"
    (line,) = ax.lines
    np.testing.assert_array_equal(*line.get_data())
    (container,) = ax.containers  # errors of the network only
    (bars,) = container.lines[2]
    lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
    np.testing.assert_allclose(lengths, 0.2 * table["mass_cnn_a"].value / 1e14)
    assert text(ax)[0] == "50 clusters"
    assert [other.get_ylabel() for other in ax.figure.axes] == [ax.get_ylabel(), "redshift"]
    plain = plot_mass_comparison(table, "mass_true", "cnn-a", colour=None, labels=("x", "y"))
    assert len(plain.figure.axes) == 1
    assert plain.get_xlabel().startswith("x ")


def test_what_has_no_mass_is_left_out():
    table = masses(5)
    table["mass_cnn_a"][1] = np.nan
    table["msz"] = MaskedColumn(np.full(5, 3e14), mask=[0, 0, 1, 0, 0], unit="solMass")
    ax = plot_mass_comparison(QTable(table), "msz", "cnn-a")
    assert text(ax)[0] == "3 clusters"
    one = plot_mass_comparison(table[:1], "mass_true", "cnn-a", median=True)
    assert text(one)[0] == "1 cluster"
    table["mass_cnn_a"] = np.nan * u.solMass
    with pytest.raises(InvalidInputError, match="No cluster .* mass by 'mass_true' and by 'cnn-a'"):
        plot_mass_comparison(table, "mass_true", "cnn-a")


def test_many_are_drawn_as_their_density():
    ax = plot_mass_comparison(masses(2500), "mass_true", "cnn-a")
    assert ax.figure.axes[1].get_ylabel() == "clusters per cell"
    assert ax.collections[0].get_array().sum() == 2500
    assert not ax.containers
    few = plot_mass_comparison(masses(30), "mass_true", "cnn-a", density=True)
    assert few.collections[0].get_array().sum() == 30


def test_median_and_fit():
    table = masses(300, bias=0.2, scatter=0.05)
    fit = fit_mass_ratio(table["mass_true"], table["mass_cnn_a"])
    ax = plot_mass_comparison(table, "cnn-a", "mass_true", median=True, fit=fit)
    lines = {line.get_label(): line for line in ax.lines}
    assert {"equal masses", "median, 16 and 84 %"} < set(lines)
    x, y = lines["median, 16 and 84 %"].get_data()
    # 12 bins of 25: neither x nor y moves fast inside one.
    parts = np.array_split(np.argsort(table["mass_cnn_a"]), 12)
    medians = [np.median(table["mass_true"][rows].value) / 1e14 for rows in parts]
    np.testing.assert_allclose(y, medians)
    np.testing.assert_allclose(np.median(y / x), 0.8, atol=0.02)
    x, y = next(line for label, line in lines.items() if label.startswith("ratio")).get_data()
    np.testing.assert_allclose(y / x, fit.value)
    relation = fit_relation(table["mass_true"], table["mass_cnn_a"])
    ax = plot_mass_comparison(table, "cnn-a", "mass_true", fit=relation)
    x, y = ax.lines[-1].get_data()
    pivot = relation.pivot.to_value("1e14 solMass")
    middle = np.interp(np.log(pivot), np.log(x), np.log(y))
    assert np.exp(middle) == pytest.approx(relation.value.to_value("1e14 solMass"), rel=1e-3)


def test_masses_against_redshift():
    table = masses(40)
    ax = plot_mass_redshift(table, ["cnn-a", "mass_true"])
    assert text(ax)[1:] == ["cnn-a (40)", "true (40)"]
    np.testing.assert_allclose(ax.collections[0].get_offsets()[:, 0], table["redshift"])
    assert (ax.get_xlabel(), ax.get_yscale()) == ("redshift", "log")
    assert text(plot_mass_redshift(table))[1:] == ["cnn-a (40)"]
    assert len(plot_mass_redshift(table, "cnn-a").collections) == 1


def test_residuals_have_the_bands_of_all():
    table = masses(4000)
    ax = plot_residuals(table, "cnn-a")
    assert len(ax.collections[0].get_offsets()) == 200
    assert text(ax)[1:] == ["200 of 4000 clusters", "95 %", "68 %", "median"]
    median = next(line for line in ax.lines if line.get_label() == "median")
    np.testing.assert_allclose(median.get_ydata(), 0.1, atol=0.03)
    wide, narrow = (c.get_paths()[0].vertices[:, 1] for c in ax.collections[1:3])
    assert np.ptp(narrow) == pytest.approx(0.30, abs=0.05)
    assert np.ptp(wide) == pytest.approx(0.59, abs=0.1)
    assert ax.get_ylabel() == (r"$(M_\mathrm{cnn‐a} - M_\mathrm{true})\,/\,M_\mathrm{cnn‐a}$")
    again = plot_residuals(table, "cnn-a", seed=1)
    same = plot_residuals(table, "cnn-a")
    offsets = [a.collections[0].get_offsets() for a in (ax, same, again)]
    np.testing.assert_array_equal(offsets[0], offsets[1])
    assert not np.array_equal(offsets[0], offsets[2])


def test_residuals_of_few():
    assert text(plot_residuals(masses(30), "cnn-a"))[1:] == ["30 clusters", "68 %", "median"]
    assert text(plot_residuals(masses(1), "cnn-a"))[1:] == ["1 cluster"]


def test_density_of_errors_per_bin():
    table = masses(300)
    table["redshift"] = np.repeat([0.05, 0.15, 0.3], 100)
    table["redshift"][0] = 0.5  # alone in its bin
    table["redshift"][1] = np.nan
    ax = plot_error_distribution(table, "cnn-a")
    difference = 1 - (table["mass_true"] / table["mass_cnn_a"]).value
    labels = text(ax)[1:]
    values = difference[2:100]
    assert labels[0] == (
        rf"$0 < z \leq 0.1$: ${values.mean():.2f} \pm {values.std(ddof=1):.2f}$ (98)"
    )
    assert labels[3] == rf"$0.4 < z \leq 1$: ${difference[0]:.2f}$ (1)"
    x, density = ax.lines[1].get_data()
    assert np.trapezoid(density, x) == pytest.approx(1, abs=0.01)
    values = difference[100:200]
    assert np.trapezoid(density * x, x) == pytest.approx(values.mean(), abs=0.01)
    marks = next(line for line in ax.lines if line.get_label() == labels[3])
    assert marks.get_marker() != "None"


def test_relative_error_by_mass():
    table = masses(800)
    ax = plot_relative_error(table, "cnn-a")
    assert len(ax.containers) == 4
    inside = (table["redshift"] > 0.4) & (table["redshift"] <= 1)
    order = np.argsort(table["mass_cnn_a"][inside])
    difference = 1 - (table["mass_true"] / table["mass_cnn_a"]).value[inside][order]
    parts = np.array_split(difference, 7)
    np.testing.assert_allclose(
        ax.containers[3].lines[0].get_ydata(), [part.mean() for part in parts]
    )
    (bars,) = ax.containers[3].lines[2]
    half = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
    np.testing.assert_allclose(half, [part.std(ddof=1) for part in parts])
    assert ax.get_xlabel().startswith("cnn-a")
    table["mass_other"] = table["mass_true"]
    both = plot_relative_error(table, ["cnn-a", "other"], redshift_bins=(0, 1), against="truth")
    assert text(both)[1:] == [r"$0 < z \leq 1$, cnn-a", r"$0 < z \leq 1$, other"]
    assert both.get_xlabel().startswith("true")
    np.testing.assert_allclose(both.containers[1].lines[0].get_ydata(), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: plot_mass_comparison(t, "nn", "cnn-a"), "no masses 'nn'.*cnn-a"),
        (lambda t: plot_mass_comparison([1], "a", "b"), "'table' must be a table of masses"),
        (lambda t: plot_mass_comparison(t, "cnn-a", "cnn-a", colour="x"), "'colour' must be"),
        (lambda t: plot_mass_comparison(t, "cnn-a", "cnn-a", fit=1), "'fit' must be a RelationFit"),
        (lambda t: plot_mass_comparison(t[:0], "cnn-a", "mass_true"), "No cluster of the table"),
        (lambda t: plot_mass_redshift(t, []), "'methods' must be one to 7 names"),
        (lambda t: plot_mass_redshift(t["mass_true", "name"], "mass_true"), "no column 'redshift'"),
        (lambda t: plot_mass_redshift(t[:0], "cnn-a"), "No cluster .* redshift and a mass"),
        (lambda t: plot_residuals(t[:0], "cnn-a"), "No cluster of the table"),
        (lambda t: plot_residuals(t, "cnn-a", "zz"), "no masses 'zz'"),
        (
            lambda t: plot_error_distribution(t, "cnn-a", redshift_bins=(1, 0)),
            "'redshift_bins' must be two to 8 increasing edges",
        ),
        (
            lambda t: plot_error_distribution(t, "cnn-a", redshift_bins=(2, 3)),
            "No cluster with both masses is in one of the redshift bins",
        ),
        (lambda t: plot_relative_error(t[:9], "cnn-a"), "No redshift bin has 10 clusters"),
        (lambda t: plot_relative_error(t, list("abcde")), "'methods' must be one to 4 names"),
        (lambda t: plot_relative_error(t, "cnn-a", against="x"), "'against' must be"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call(masses(20))


def test_a_mass_without_unit_is_refused():
    table = masses(20)
    table["mass_plain"] = np.ones(20)
    with pytest.raises(InvalidUnitError, match="'mass_plain' must be a Quantity"):
        plot_residuals(table, "plain")


def test_given_axes_are_drawn_on():
    figure, axes = pyplot.subplots(1, 4)
    table = masses(60)
    assert plot_residuals(table, "cnn-a", ax=axes[0]) is axes[0]
    assert plot_error_distribution(table, "cnn-a", ax=axes[1]) is axes[1]
    assert plot_relative_error(table, "cnn-a", ax=axes[2]) is axes[2]
    assert plot_mass_comparison(table, "cnn-a", "mass_true", ax=axes[3]) is axes[3]
    assert pyplot.get_fignums() == [figure.number]
