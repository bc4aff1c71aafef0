"""Style of plots: legends that hide nothing, outliers that say their flags, dark paper."""

from io import BytesIO

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from szmass.demo.core import _draw_masses, _draw_residuals
from szmass.plots import (
    plot_mass_comparison,
    plot_mass_redshift,
    plot_relative_error,
    plot_residuals,
)
from szmass.plots.style import COLOURS, darken
from szmass.results import MassEstimates, MassFlag, side_by_side


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def masses(n=60, away=(3, 7, 11)):
    """Masses by two methods with errors; some of the first lie far off, and have flags."""
    rng = np.random.default_rng(8)
    redshift, truth = rng.uniform(0.02, 0.6, n), 10 ** rng.uniform(14.3, 15.1, n)
    tables = {}
    for method in ("one", "two"):
        mass = truth * np.exp(rng.normal(0, 0.1, n))
        flag = np.zeros(n, int)
        if method == "one":
            mass[list(away)] = truth[list(away)] * 3
            flag[list(away[:2])] = MassFlag.BLENDED
            flag[20] = MassFlag.OUT_OF_DOMAIN
        estimates = MassEstimates(mass, 0.2 * mass, 0.3 * mass, flag=flag)
        names = [f"c{i}" for i in range(n)]
        tables[method] = estimates.to_table(names, redshift, method, {})
    table = side_by_side(tables)
    table["mass_true"] = truth * u.solMass
    return table


def drawn_boxes(ax):
    """Give the boxes, in pixels, of all points and bars of an axes, (N, 4)."""
    boxes = []
    for collection in ax.collections:
        if hasattr(collection, "get_segments"):
            for segment in collection.get_segments():
                at = ax.transData.transform(segment)
                boxes.append(np.hstack([at.min(axis=0), at.max(axis=0)])[np.newaxis])
        elif len(offsets := np.asarray(collection.get_offsets())):
            at = ax.transData.transform(offsets)
            boxes.append(np.hstack([at - 1, at + 1]))
    return np.vstack(boxes)


def shown(ax, boxes):
    """Cut boxes at the edges of the axes, as they are drawn, and leave out what is beyond."""
    frame = ax.get_window_extent()
    low = np.maximum(boxes[:, :2], frame.min)
    high = np.minimum(boxes[:, 2:], frame.max)
    return np.hstack([low, high])[np.all(low <= high, axis=1)]


@pytest.mark.parametrize(
    "draw",
    [
        lambda table: plot_mass_comparison(table, "mass_true", "one", median=True).figure,
        lambda table: plot_mass_redshift(table).figure,
        lambda table: plot_residuals(table, "one").figure,
        lambda table: plot_relative_error(table, ["one", "two"]).figure,
        lambda table: _draw_residuals(table, ["one", "two"]),
        lambda table: _draw_masses(table, ["one", "two"]),
    ],
    ids=["comparison", "redshift", "residuals", "relative error", "demo residuals", "demo masses"],
)
def test_legends_hide_no_bars(draw):
    fig = draw(masses())
    fig.savefig(BytesIO())
    seen = 0
    for ax in fig.axes:
        if ax.get_legend() is None:
            continue
        legend = ax.get_legend().get_window_extent()
        boxes = shown(ax, drawn_boxes(ax))
        seen += len(boxes)
        beside = (boxes[:, 0] > legend.x1) | (boxes[:, 2] < legend.x0)
        beside |= (boxes[:, 1] > legend.y1) | (boxes[:, 3] < legend.y0)
        assert beside.all(), boxes[~beside]
        assert legend.y1 <= fig.bbox.y1 + 1
    assert seen > 5


def test_outliers_say_their_flags():
    table = masses()
    ax = plot_mass_comparison(table, "mass_true", "one")
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["equal masses", r"beyond 3$\sigma$: BLENDED 2", r"beyond 3$\sigma$, no flag"]
    rings = {c.get_label(): c.get_offsets() for c in ax.collections if "beyond" in c.get_label()}
    flagged, plain = rings.values()
    np.testing.assert_allclose(flagged[:, 1], table["mass_one"][[3, 7]].value / 1e14)
    ratio = np.log(table["mass_one"] / table["mass_true"])
    spread = 1.4826 * np.median(np.abs(ratio - np.median(ratio)))
    away = np.flatnonzero(np.abs(ratio - np.median(ratio)) > 3 * spread)
    assert {3, 7, 11} <= set(away)
    others = [row for row in away if row not in (3, 7)]
    np.testing.assert_allclose(plain[:, 0], table["mass_true"][others].value / 1e14)
    for other in (
        plot_mass_comparison(table, "mass_true", "one", outliers=False),
        plot_mass_comparison(table[:19], "mass_true", "one"),
    ):
        assert not any("beyond" in str(c.get_label()) for c in other.collections)


def test_dark_paper_turns_greys_and_keeps_hues():
    fig, (ax, image) = plt.subplots(1, 2)
    (line,) = ax.plot([0, 1], [0, 1], color="k")
    (blue,) = ax.plot([0, 1], [1, 0], color=COLOURS[0], marker="o", markerfacecolor="w")
    (red,) = ax.plot([0, 1], [1, 0], color="#aa1144")
    grey = ax.axvspan(0.2, 0.4, color="0.9", alpha=0.5)
    mapped = ax.scatter([0, 1], [0, 1], c=[0.0, 1.0], cmap="viridis")
    rings = ax.scatter([0], [0], facecolors="none", edgecolors="0.4")
    shown_image = image.imshow(np.eye(3))
    (mark,) = image.plot([0, 1], [0, 1], color="w")
    ax.legend([line], ["line"], frameon=False)
    fig.canvas.draw()
    before = mapped.get_facecolors().copy()
    darken(fig)
    fig.canvas.draw()
    assert to_hex(line.get_color()) == "#e6e9eb"
    assert to_hex(ax.get_facecolor()) == to_hex(fig.get_facecolor()) == "#1b1f23"
    assert to_hex(blue.get_color()) == "#4aa8e0"
    assert to_hex(blue.get_markerfacecolor()) == "#1b1f23"
    assert to_hex(red.get_color()) == "#aa1144"
    assert max(to_rgb(grey.get_facecolor()[:3])) < 0.25
    assert grey.get_facecolor()[3] == pytest.approx(0.5)
    np.testing.assert_array_equal(mapped.get_facecolors(), before)
    assert len(rings.get_facecolors()) == 0
    assert min(rings.get_edgecolors()[0][:3]) > 0.5
    assert to_hex(mark.get_color()) == "#ffffff"  # on an image
    assert shown_image.get_cmap().name == plt.rcParams["image.cmap"]
    labels = [*ax.get_xticklabels(), *image.get_yticklabels(), *ax.get_legend().get_texts()]
    assert {to_hex(label.get_color()) for label in labels} == {"#e6e9eb"}
