"""Plots of the training of networks."""

import numpy as np
import pytest
from astropy.table import Table

from szmass.exceptions import InvalidInputError
from szmass.plots import plot_selection, plot_training

pytest.importorskip("matplotlib").use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def models():
    return Table(
        {
            "redshift_bin": ["0-0.1"] * 4 + ["(0.1, 0.2]"] * 2,
            "model": [0, 1, 2, 3, 0, 1],
            "bias_max": [0.03, -0.01, np.nan, 0.02, 0.05, 0.04],
        }
    )


def texts(ax):
    return [t.get_text() for t in ax.get_legend().get_texts()]


def test_number_below_a_threshold():
    ax = plot_selection(models(), threshold=0.025)
    x, y = ax.lines[0].get_data()
    assert np.interp([0.005, 0.0101, 0.0201, 0.0301, 0.05], x, y).round().tolist() == [
        0,
        1,
        2,
        3,
        3,
    ]
    assert texts(ax) == [
        r"$0 < z \leq 0.1$ (4)",
        r"$0.1 < z \leq 0.2$ (2)",
        "threshold 0.025",
    ]
    assert ax.get_ylabel() == "number of models below"
    table = models()
    table["redshift_bin"] = [0, 0, 0, 0, 1, 1]
    table["mean bias"] = table["bias_max"]
    ax = plot_selection(table, metric="mean bias")
    assert texts(ax) == ["0 (4)", "1 (2)"]


def test_selection_refuses():
    with pytest.raises(InvalidInputError, match="no column 'scatter'. It has: redshift_bin"):
        plot_selection(models(), metric="scatter")
    with pytest.raises(InvalidInputError, match="no column 'redshift_bin'. It has: none"):
        plot_selection([1, 2])
    table = models()
    table["bias_max"] = np.nan
    with pytest.raises(InvalidInputError, match="No model has a finite 'bias_max'"):
        plot_selection(table)


def test_losses_of_runs():
    history = {"loss": [0.1, 0.05, 0.04], "val_loss": [0.12, 0.06, 0.05]}
    ax = plot_training(history)
    assert texts(ax) == ["training", "validation"]
    assert [line.get_linestyle() for line in ax.lines] == ["--", "-"]
    np.testing.assert_array_equal(ax.lines[1].get_data(), [[1, 2, 3], history["val_loss"]])
    assert ax.get_xlabel() == "epoch"
    assert ax.get_yscale() == "log"
    table = Table(history)
    table["epoch"] = [0, 10, 20]
    _, given = pyplot.subplots()
    ax = plot_training({"a": history, "b": table}, ax=given, columns=(None, "val_loss"))
    assert ax is given
    assert texts(ax) == ["a, validation", "b, validation"]
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), [0, 10, 20])
    assert plot_training(table).lines[0].get_xdata()[-1] == 20


def test_losses_that_are_not_positive_have_a_plain_axis():
    assert plot_training({"loss": [1.0, -1], "val_loss": [2.0, 1]}).get_yscale() == "linear"


@pytest.mark.parametrize(
    ("histories", "message"),
    [
        ([1], "'histories' must be a table, a dict of lists"),
        ({}, "one to 7 runs. Received: 0"),
        ({"a": {"mse": [1]}}, "history of a has no column 'loss'. It has: mse"),
        ({"loss": [1]}, "history of the run has no column 'val_loss'"),
        ({"loss": [], "val_loss": []}, "the run has no epochs"),
    ],
)
def test_training_refuses(histories, message):
    with pytest.raises(InvalidInputError, match=message):
        plot_training(histories)
