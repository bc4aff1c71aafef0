"""Statistics of a report, in numbers and figures."""

import itertools
import re

import astropy.units as u
import numpy as np

from szmass._utils.optional import import_optional
from szmass._utils.progress import progress_bar
from szmass.comparison.regression import fit_mass_ratio
from szmass.comparison.statistics import relative_difference_table
from szmass.exceptions import InvalidInputError
from szmass.plots import (
    plot_error_distribution,
    plot_gallery,
    plot_mass_comparison,
    plot_mass_redshift,
    plot_residuals,
)
from szmass.plots.style import COLOURS, MARKERS, darken, legend_above, log_ticks, mass_label
from szmass.results import MassEstimates, MassFlag, side_by_side

# A ratio and its scatter cannot be fitted to fewer clusters.
_FOR_RATIO = 3
# Fewer clusters have no running median or distribution worth drawing.
_LEAST = 20
_DPI = 150
_SIZE = (6.4, 4.6)
# Methods that have figures of their own, and pictures in the gallery.
_MOST = 6
_GALLERY = 12


def choose_reference(content, name=None):
    """Choose what others are compared with: else the truth, the catalogue, or the first."""
    if name is not None:
        return content.method(name)
    for kind in ("truth", "catalogue"):
        for method in content.methods:
            if method.kind == kind and method.known.any():
                return method
    return content.methods[0]


def summarise(content, reference):
    """Compute all that the front page says in numbers, by name; masses are in 1e14 solMass."""
    z = content.redshift[np.isfinite(content.redshift)]
    return {
        "redshift": {"n": len(z), **_range(z)},
        "methods": [_method_facts(method) for method in content.methods],
        "flags": _flags(content),
        "matrix": _matrix(content.methods),
        "differences": _differences(content, reference),
        "ratios": _mass_ratios(content),
    }


def _method_facts(method):
    known = method.known
    mass = method.mass[known]
    error = 0.5 * (method.errn + method.errp)[known]
    error = (error / mass)[np.isfinite(error)]
    return {
        "label": method.label,
        "key": method.key,
        "kind": method.kind,
        "scale": method.scale,
        "weighed": int(known.sum()),
        "flagged": int(np.count_nonzero(method.flag)),
        **_range(mass / 1e14),
        "error": float(100 * np.median(error)) if len(error) else None,
    }


def _range(values):
    """Give lowest, median and highest, None where there are no values."""
    functions = {"low": np.min, "median": np.median, "high": np.max}
    return {name: float(of(values)) if len(values) else None for name, of in functions.items()}


def _flags(content):
    estimators = content.estimators
    rows = []
    for bit in MassFlag:
        counts = [int(np.count_nonzero(method.flag & bit)) for method in estimators]
        if any(counts):
            rows.append({"name": bit.name, "words": bit.words, "counts": counts})
    return {"methods": [method.label for method in estimators], "rows": rows}


def _matrix(methods):
    """Mean and standard deviation of (row - column) / row over all clusters with both."""
    rows = []
    for a in methods:
        cells = []
        for b in methods:
            both = a.known & b.known
            difference = 1 - b.mass[both] / a.mass[both]
            n = 0 if a is b else len(difference)
            std = float(difference.std(ddof=1)) if n > 1 else None
            cells.append({"mean": float(difference.mean()), "std": std, "n": n} if n else None)
        rows.append({"label": a.label, "cells": cells})
    return {"columns": [method.label for method in methods], "rows": rows}


def _differences(content, reference):
    """Table 1 of de Andres et al. for every pair, those with the reference first."""
    pairs = [(method, reference) for method in content.methods if method is not reference]
    pairs += [pair for pair in itertools.combinations(content.methods, 2) if reference not in pair]
    tables = []
    for a, b in pairs if np.isfinite(content.redshift).any() else ():
        table = relative_difference_table(a.mass * u.solMass, b.mass * u.solMass, content.redshift)
        if table["n"][-1]:
            about = {"above": table.meta["log_mass_above"], "outside": table.meta["n_outside"]}
            rows = [_difference_row(row) for row in table]
            tables.append(
                {"a": a.label, "b": b.label, "first": b is reference, "rows": rows, **about}
            )
    return tables


def _difference_row(row):
    names = [f"{name}{end}" for name in ("n", "mean", "std", "median") for end in ("", "_massive")]
    low, high = float(row["redshift_min"]), float(row["redshift_max"])
    return {"low": low, "high": high, **{name: _or_none(row[name]) for name in names}}


def _or_none(value):
    return value.item() if np.isfinite(value) else None


def _mass_ratios(content):
    """Fit the ratio of each method's masses to those of weak lensing (1-b), or to the true ones.

    Each has the labels "a" and "b", and a "fit" or "why" there is none.
    """
    kinds = ("lensing", "truth")
    against = [method for method in content.methods if method.kind in kinds]
    others = [method for method in content.methods if method.kind not in kinds]
    return [_mass_ratio(a, b) for b in against for a in others]


def _mass_ratio(a, b):
    found = {"a": a.label, "b": b.label, "lensing": b.kind == "lensing"}
    both = a.known & b.known
    # Clusters without error would count as exact among those with one.
    measured = [_has_error(method) for method in (a, b)]
    used = np.all([both, *(known | ~known.any() for known in measured)], axis=0)
    found["without"] = int(np.count_nonzero(both & ~used))
    if np.count_nonzero(used) < _FOR_RATIO:
        few = f"{np.count_nonzero(used)} cluster(s) have both, and {_FOR_RATIO} are needed"
        return found | {"why": few}
    (mass_a, *err_a), (mass_b, *err_b) = (
        [value[used] * u.solMass for value in (m.mass, m.errn, m.errp)] for m in (a, b)
    )
    err_a, err_b = (
        tuple(errors) if known.any() else None
        for errors, known in zip((err_a, err_b), measured, strict=True)
    )
    try:
        return found | {"fit": fit_mass_ratio(mass_a, mass_b, err_a=err_a, err_b=err_b)}
    except InvalidInputError as err:
        return found | {"why": str(err)}


def _has_error(method):
    return (method.errn > 0) & (method.errp > 0) & np.isfinite(method.errn + method.errp)


def draw_figures(content, reference, ratios, folder, stack=None, rows=None):
    """Draw all figures that the content allows as PNG files, and say what they show.

    ``ratios`` are those of `summarise`; ``stack`` are cutouts for a gallery and ``rows`` where in
    it the first clusters of the table are, -1 where one has none. A figure has ``file``, ``alt``,
    ``caption``, ``width``, ``height``, and ``dark``, the file of the same on dark paper.
    """
    folder.mkdir()
    figure = import_optional("matplotlib.figure", extra="report", purpose="draw figures").Figure
    table = _clean_table(content)
    drawn = []
    plans = _plans(content, reference, ratios, table, stack, rows)
    for name, size, draw, alt, caption in progress_bar(list(plans), desc="figures", unit="figure"):
        fig = figure(figsize=size, layout="constrained")
        try:
            draw(fig)
        except InvalidInputError:  # no cluster has what the figure shows
            continue
        files = {"file": f"{name}.png", "dark": f"{name}-dark.png"}
        fig.savefig(folder / files["file"], dpi=_DPI)
        darken(fig)
        fig.savefig(folder / files["dark"], dpi=_DPI)
        width, height = (round(_DPI * length) for length in size)
        about = {"alt": alt, "caption": caption, "width": width, "height": height}
        drawn.append({**files, **about})
    return drawn


def _clean_table(content):
    """Masses that can be drawn, under the names of the methods' keys."""
    tables = {}
    for m in content.methods:
        masses = MassEstimates(m.mass, m.errn, m.errp, flag=m.flag)
        tables[m.key] = masses.to_table(content.names, content.redshift, m.key, {})
    return side_by_side(tables)


def _plans(content, reference, ratios, table, stack, rows):
    """Give file name, size, function of a figure, alternative text and caption of each figure."""
    others = [m for m in content.methods if m is not reference and m.known.any()][:_MOST]
    fits = {r["a"]: r["fit"] for r in ratios if "fit" in r and r["b"] == reference.label}
    many = len(content) >= _LEAST
    for method in others:
        draw = _on_axes(
            plot_mass_comparison, table, reference.key, method.key, median=many,
            labels=_labels([reference, method]), fit=fits.get(method.label),
        )  # fmt: skip
        both = int(np.count_nonzero(method.known & reference.known))
        yield (
            f"masses-{method.key}", _SIZE, draw,
            f"Scatter plot of the masses by {method.label} against {reference.label}",
            f"Mass by {method.label} against {reference.label}, {both} clusters.",
        )  # fmt: skip
    for method in others if many else ():
        pair = table, method.key, reference.key
        labels = _label(method), _label(reference)
        yield (
            f"residuals-{method.key}", _SIZE, _on_axes(plot_residuals, *pair, labels=labels),
            f"Relative difference of {method.label} to {reference.label} against mass",
            f"Relative difference of {method.label} to {reference.label}: median, 68 % and 95 % "
            "of the clusters of like mass.",
        )  # fmt: skip
        yield (
            f"distribution-{method.key}", _SIZE,
            _on_axes(plot_error_distribution, *pair, labels=labels),
            f"Distribution of the difference of {method.label} to {reference.label} by redshift",
            f"Distribution of the relative difference of {method.label} to {reference.label} in "
            "bins of redshift.",
        )  # fmt: skip

    shown = [method for method in content.methods if method.known.any()][: len(COLOURS)]
    if shown and np.isfinite(content.redshift).any():
        keys = [method.key for method in shown]
        yield (
            "redshift", _SIZE, _on_axes(plot_mass_redshift, table, keys, labels=_labels(shown)),
            "Scatter plot of mass against redshift", "Mass against redshift, all methods.",
        )  # fmt: skip

    snr = content.numbers("snr")
    if shown and snr is not None and np.any(snr > 0):
        yield (
            "snr", _SIZE, lambda fig: _draw_snr(fig, shown, snr),
            "Mass against signal-to-noise ratio, with its distribution",
            "Mass against the signal-to-noise ratio of the detection; above, how many clusters "
            "have it.",
        )  # fmt: skip

    if stack is not None:
        chosen = _brightest(content, reference, rows)
        if len(chosen):
            columns = min(4, len(chosen))
            height = -(-len(chosen) // columns)
            yield (
                "gallery", (2.15 * columns + 0.9, 2.3 * height + 0.5),
                lambda fig: _draw_gallery(fig, content, stack, rows, chosen, columns),
                f"Compton-y maps of {len(chosen)} clusters",
                f"Compton-y around the {len(chosen)} clusters of "
                + ("highest signal-to-noise ratio." if snr is not None else "highest mass."),
            )  # fmt: skip


def _on_axes(draw, *args, **options):
    """Make a function of a figure from one of axes."""
    return lambda fig: draw(*args, ax=fig.add_subplot(), **options)


def _label(method):
    """Take out what means something in mathematical text."""
    return re.sub(r"[^\w .+()-]", " ", method.label).strip() or "method"


def _labels(methods):
    """Label methods with their scales of mass."""
    return [_label(m) + (f" ({m.scale})" if m.scale else "") for m in methods]


def _draw_snr(fig, methods, snr):
    top, ax = fig.subplots(2, 1, sharex=True, height_ratios=(1, 3))
    known = snr > 0
    edges = np.geomspace(snr[known].min() / 1.02, snr[known].max() * 1.02, 31)
    top.hist(snr[known], edges, color="0.6")
    top.set_ylabel("clusters")
    size = 24 if len(snr) < 100 else 9
    for i, (method, label) in enumerate(zip(methods, _labels(methods), strict=True)):
        rows = known & method.known
        ax.scatter(
            snr[rows], method.mass[rows] / 1e14, s=size, color=COLOURS[i], marker=MARKERS[i], lw=0,
            alpha=0.65, label=label, rasterized=True,
        )  # fmt: skip
    log_ticks(ax.xaxis, ax.yaxis)
    ax.set(xlabel="S/N", ylabel=mass_label())
    legend_above(top, ax.get_legend_handles_labels()[0], markerscale=1.5)


def _brightest(content, reference, rows):
    """Places in the table of clusters for the gallery, the clearest first."""
    count = len(rows)
    snr = content.numbers("snr")
    rank = content.methods[0].mass if snr is None else snr
    if snr is None and not np.isfinite(rank[:count]).any():
        rank = reference.mass
    usable = np.flatnonzero((rows >= 0) & np.isfinite(rank[:count]))
    return usable[np.argsort(-rank[usable], kind="stable")][:_GALLERY]


def _draw_gallery(fig, content, stack, rows, chosen, columns):
    titles = []
    for i in chosen:
        name, z = content.names[i], content.redshift[i]
        name = name if len(name) <= 26 else name[:25] + "…"
        name = name.replace("\\", " ").replace("$", r"\$")
        titles.append(f"{name}\n$z$ = {z:.3f}" if np.isfinite(z) else name)
    plot_gallery(stack[rows[chosen]], fig=fig, columns=columns, titles=titles)
