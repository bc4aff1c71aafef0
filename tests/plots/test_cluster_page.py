"""The page of one cluster, and the masses on it."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from szmass.estimators import LikelihoodMass, MatchedFilterMass, estimate_masses
from szmass.estimators.checks import make_check_sample
from szmass.exceptions import InvalidInputError
from szmass.plots import plot_cluster, plot_mass_posteriors
from szmass.results import LogMassPosterior

pytest.importorskip("matplotlib").use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def sample():
    return make_check_sample(3)


@pytest.fixture(scope="module")
def table(sample):
    return estimate_masses(sample, ["matched_filter"])


def one(**columns):
    table = QTable({"name": ["a"]})
    for name, value in columns.items():
        table[name] = [value] * u.Unit("1e14 solMass")
    return table


def labels(ax):
    return [t.get_text() for t in ax.get_legend().get_texts()]


def test_masses_with_errors_are_two_halves_of_normal_distributions():
    row = one(mass_a=4.0, mass_errn_a=1.0, mass_errp_a=0.5, msz=3.0, mass_true=3.5)
    row.meta["methods"] = {"a": {}}
    ax = plot_mass_posteriors(row[0])
    assert labels(ax) == ["PSZ2", "a", "true"]
    line = next(line for line in ax.lines if line.get_label() == "a")
    x, y = line.get_data()
    assert x[np.argmax(y)] == pytest.approx(4, rel=0.01)
    height = np.exp(-0.5)
    assert np.interp([3.0, 4.5], x, y) == pytest.approx([height, height], abs=0.01)
    bare = next(line for line in ax.lines if line.get_label() == "PSZ2")
    np.testing.assert_allclose(bare.get_xdata(), 3)
    truth = next(line for line in ax.lines if line.get_label() == "true")
    np.testing.assert_allclose(truth.get_xdata(), 3.5)
    low, high = ax.get_xlim()
    assert low < 2.5
    assert 4.5 < high < 8
    assert ax.get_xlabel() == r"$M_{500}$ [$10^{14}\,M_\odot$]"


def test_a_posterior_replaces_the_mass_of_its_name():
    grid = np.linspace(14, 15, 101)
    density = np.exp(-0.5 * ((grid - 14.6) / 0.05) ** 2)
    posterior = LogMassPosterior(grid, density[np.newaxis], np.ones(101))
    row = one(mass_a=1.0, mass_b=np.nan)
    ax = plot_mass_posteriors(row, posteriors={"a": posterior})
    assert labels(ax) == ["a"]
    x, y = ax.lines[0].get_data()
    assert np.log10(x[np.argmax(y)]) == pytest.approx(0.6)
    assert labels(plot_mass_posteriors(posteriors={"a": posterior})) == ["a"]


def test_posteriors_refuse():
    grid = np.linspace(14, 15, 5)
    two = LogMassPosterior(grid, np.ones((2, 5)), np.ones(5))
    with pytest.raises(InvalidInputError, match="'a' must be a LogMassPosterior of one cluster"):
        plot_mass_posteriors(posteriors={"a": two})
    with pytest.raises(InvalidInputError, match="'posteriors' must be a dict"):
        plot_mass_posteriors(posteriors=[two])
    with pytest.raises(InvalidInputError, match="one row of a table of masses.*Received: 0 rows"):
        plot_mass_posteriors(one(mass_a=1)[:0])
    with pytest.raises(InvalidInputError, match="No mass of this cluster is known"):
        plot_mass_posteriors(one(mass_a=np.nan))
    with pytest.raises(InvalidInputError, match="No mass of this cluster is known"):
        plot_mass_posteriors()


def test_masses_and_posteriors_of_another_cluster_are_refused(sample, table):
    posterior = LikelihoodMass().predict_posterior(sample)
    with pytest.raises(InvalidInputError, match="posterior 'likelihood' must be of .* Received"):
        plot_cluster(sample[1], posteriors={"likelihood": posterior[:1]})
    with pytest.raises(InvalidInputError, match="posterior 'likelihood' must be of .* Received"):
        plot_mass_posteriors(table[1], posteriors={"likelihood": posterior[:1]})
    with pytest.raises(InvalidInputError, match="row of masses must be of .* Received"):
        plot_cluster(sample[1], table[0])


def test_page_has_all_panels(sample, table):
    likelihood = LikelihoodMass()
    saliency = np.abs(sample.cutouts.data[1])
    figure = plot_cluster(
        sample[1],
        table,
        posteriors={"likelihood": likelihood.predict_posterior(sample)[1:2]},
        surface=MatchedFilterMass().surface(sample, 1),
        saliency=saliency,
        theta500=7 * u.arcmin,
        noise=likelihood._setup(sample.cutouts).noise,
    )
    assert figure.get_suptitle() == f"check 1, $z$ = {sample.redshift[1]:.3g}"
    names = [ax.get_xlabel() for ax in figure.axes]
    assert sum("theta_{500}" in name for name in names) == 1
    assert sum("M_{500}" in name for name in names) == 1
    assert sum(name == "radius [arcmin]" for name in names) == 1
    assert {"saliency", r"Compton-$y$ [$10^{-6}$]"} <= {ax.get_ylabel() for ax in figure.axes}
    masses = next(ax for ax in figure.axes if "M_{500}" in ax.get_xlabel())
    names = [label.partition(" (")[0] for label in labels(masses)]
    assert names == ["PSZ2", "matched_filter", "likelihood"]
    assert labels(masses)[1] == "matched_filter (1-b = 1)"
    figure.savefig("/dev/null", format="png")
    assert not pyplot.get_fignums()  # nothing that matplotlib would keep


def test_page_shows_what_there_is(sample, table):
    alone = plot_cluster(sample[0])
    assert len(alone.axes) == 3  # cutout, its scale, profile
    cluster = sample[0]
    cluster.cutout = None
    assert len(plot_cluster(cluster, table[0]).axes) == 1
    given = pyplot.figure()
    assert plot_cluster(cluster, table, fig=given) is given
    cluster.redshift = None
    assert "unknown" in plot_cluster(cluster, table).get_suptitle()
    with pytest.raises(InvalidInputError, match="Nothing of 'check 0' can be drawn"):
        plot_cluster(cluster)


def test_page_refuses(sample, table):
    with pytest.raises(InvalidInputError, match="'cluster' must be a Cluster"):
        plot_cluster(sample)
    with pytest.raises(InvalidInputError, match="'masses' must be a table .* column 'name'"):
        plot_cluster(sample[0], [3])
    with pytest.raises(InvalidInputError, match="have 0 rows of 'check 0'"):
        plot_cluster(sample[0], table[1:])
    with pytest.raises(InvalidInputError, match="'saliency' must have the shape of the cutout"):
        plot_cluster(sample[0], saliency=np.zeros((3, 3)))
