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
from szmass.plots.style import COLOURS, MARKERS, log_ticks, mass_label
from szmass.results import FLAG_WORDS, MassEstimates, side_by_side

__all__ = ["choose_reference", "draw_figures", "summarise"]

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
    for bit, words in FLAG_WORDS.items():
        counts = [int(np.count_nonzero(method.flag & bit)) for method in estimators]
        if any(counts):
            rows.append({"name": bit.name, "words": words, "counts": counts})
    return {"methods": [method.label for method in estimators], "rows": rows}


def _matrix(methods):
    """Mean and standard deviation of (row - column) / row over all clusters with both."""
    rows = []
    for a in methods:
        cells = []
        for b in methods:
            both = a.known & b.known
            difference = 1 - b.mass[both] / a.mass[both]
            cells.append(
                None
                if a is b or not len(difference)
                else {
                    "mean": float(difference.mean()),
                    "std": float(difference.std(ddof=1)) if len(difference) > 1 else None,
                    "n": len(difference),
                }
            )
        rows.append({"label": a.label, "cells": cells})
    return {"columns": [method.label for method in methods], "rows": rows}


def _differences(content, reference):
    """Table 1 of de Andres et al. for every pair, those with the reference first."""
    pairs = [(method, reference) for method in content.methods if method is not reference]
    pairs += [pair for pair in itertools.combinations(content.methods, 2) if reference not in pair]
    tables = []
    if not np.isfinite(content.redshift).any():
        return tables
    for a, b in pairs:
        table = relative_difference_table(a.mass * u.solMass, b.mass * u.solMass, content.redshift)
        if not table["n"][-1]:
            continue
        tables.append(
            {
                "a": a.label,
                "b": b.label,
                "first": b is reference,
                "above": table.meta["log_mass_above"],
                "outside": table.meta["n_outside"],
                "rows": [
                    {
                        "low": float(row["redshift_min"]),
                        "high": float(row["redshift_max"]),
                        **{
                            f"{name}{end}": _or_none(row[f"{name}{end}"])
                            for name in ("n", "mean", "std", "median")
                            for end in ("", "_massive")
                        },
                    }
                    for row in table
                ],
            }
        )
    return tables


def _or_none(value):
    return value.item() if np.isfinite(value) else None


def _mass_ratios(content):
    """Fit the ratio of each method's masses to those of weak lensing (1-b), or to the true ones.

    Each has the labels "a" and "b", and a "fit" or "why" there is none.
    """
    references = [m for m in content.methods if m.kind in ("lensing", "truth")]
    ratios = []
    for b in references:
        for a in content.methods:
            if a.kind in ("lensing", "truth"):
                continue
            found = {"a": a.label, "b": b.label, "lensing": b.kind == "lensing"}
            both = a.known & b.known
            # Clusters without error would count as exact among those with one.
            for method in (a, b):
                measured = _has_error(method)
                both &= measured | ~measured.any()
            found["without"] = int(np.count_nonzero(a.known & b.known & ~both))
            ratios.append(found)
            if np.count_nonzero(both) < _FOR_RATIO:
                found["why"] = (
                    f"{np.count_nonzero(both)} cluster(s) have both, and {_FOR_RATIO} are needed"
                )
                continue
            try:
                found["fit"] = fit_mass_ratio(
                    a.mass[both] * u.solMass,
                    b.mass[both] * u.solMass,
                    err_a=_errors(a, both),
                    err_b=_errors(b, both),
                )
            except InvalidInputError as err:
                found["why"] = str(err)
    return ratios


def _has_error(method):
    return (method.errn > 0) & (method.errp > 0) & np.isfinite(method.errn + method.errp)


def _errors(method, rows):
    if not _has_error(method).any():
        return None
    return method.errn[rows] * u.solMass, method.errp[rows] * u.solMass


def draw_figures(content, reference, ratios, folder, stack=None, rows=None):
    """Draw all figures that the content allows as PNG files, and say what they show.

    ``ratios`` are those of `summarise`; ``stack`` are cutouts for a gallery and ``rows`` where in
    it the first clusters of the table are, -1 where one has none. A figure has ``file``, ``alt``,
    ``caption``, ``width``, ``height``, and may be a ``photo``, whose colours stay in the dark.
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
        path = folder / f"{name}.png"
        fig.savefig(path, dpi=_DPI)
        width, height = (round(_DPI * length) for length in size)
        drawn.append(
            {
                "file": path.name,
                "alt": alt,
                "caption": caption,
                "width": width,
                "height": height,
                "photo": name == "gallery",
            }
        )
    return drawn


def _clean_table(content):
    """Masses that can be drawn, under the names of the methods' keys."""
    tables = {}
    for m in content.methods:
        masses = MassEstimates(m.mass, m.errn, m.errp)
        tables[m.key] = masses.to_table(content.names, content.redshift, m.key, {})
    return side_by_side(tables)


def _plans(content, reference, ratios, table, stack, rows):
    others = [m for m in content.methods if m is not reference and m.known.any()]
    fits = {r["a"]: r["fit"] for r in ratios if "fit" in r and r["b"] == reference.label}
    many = len(content) >= _LEAST
    for method in others[:_MOST]:
        labels = (_label(reference, scale=True), _label(method, scale=True))

        def against(fig, method=method, labels=labels):
            plot_mass_comparison(
                table, reference.key, method.key, ax=fig.add_subplot(), labels=labels,
                median=many, fit=fits.get(method.label),
            )  # fmt: skip

        both = int(np.count_nonzero(method.known & reference.known))
        yield (
            f"masses-{method.key}", _SIZE, against,
            f"Scatter plot of the masses by {method.label} against {reference.label}",
            f"Mass by {method.label} against {reference.label}, {both} clusters.",
        )  # fmt: skip

    for method in others[:_MOST] if many else ():
        labels = (_label(method), _label(reference))

        def residuals(fig, method=method, labels=labels):
            plot_residuals(table, method.key, reference.key, ax=fig.add_subplot(), labels=labels)

        yield (
            f"residuals-{method.key}", _SIZE, residuals,
            f"Relative difference of {method.label} to {reference.label} against mass",
            f"Relative difference of {method.label} to {reference.label}: median, 68 % and 95 % "
            "of the clusters of like mass.",
        )  # fmt: skip

        def distribution(fig, method=method, labels=labels):
            plot_error_distribution(
                table, method.key, reference.key, ax=fig.add_subplot(), labels=labels
            )

        yield (
            f"distribution-{method.key}", _SIZE, distribution,
            f"Distribution of the difference of {method.label} to {reference.label} by redshift",
            f"Distribution of the relative difference of {method.label} to {reference.label} in "
            "bins of redshift.",
        )  # fmt: skip

    shown = [method for method in content.methods if method.known.any()][: len(COLOURS)]
    if shown and np.isfinite(content.redshift).any():

        def by_redshift(fig):
            ax = fig.add_subplot()
            plot_mass_redshift(
                table, [m.key for m in shown], ax=ax, labels=[_label(m, scale=True) for m in shown]
            )
            # Looking for the best place takes long among many points.
            ax.get_legend().set_loc("lower right")

        yield (
            "redshift", _SIZE, by_redshift, "Scatter plot of mass against redshift",
            "Mass against redshift, all methods.",
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


def _label(method, scale=False):
    """Take out what means something in mathematical text; the mass scale may stand behind it."""
    label = re.sub(r"[^\w .+()-]", " ", method.label).strip() or "method"
    return f"{label} ({method.scale})" if scale and method.scale else label


def _draw_snr(fig, methods, snr):
    top, ax = fig.subplots(2, 1, sharex=True, height_ratios=(1, 3))
    known = snr > 0
    edges = np.geomspace(snr[known].min() / 1.02, snr[known].max() * 1.02, 31)
    top.hist(snr[known], edges, color="0.6")
    top.set_ylabel("clusters")
    size = 24 if len(snr) < 100 else 9
    for i, method in enumerate(methods):
        rows = known & method.known
        ax.scatter(
            snr[rows], method.mass[rows] / 1e14, s=size, color=COLOURS[i], marker=MARKERS[i], lw=0,
            alpha=0.65, label=_label(method, scale=True), rasterized=True,
        )  # fmt: skip
    log_ticks(ax.xaxis, ax.yaxis)
    ax.set(xlabel="S/N", ylabel=mass_label())
    ax.legend(frameon=False, markerscale=1.5, loc="lower right")


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
