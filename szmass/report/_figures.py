"""The figures of the report, drawn by the plots of `szmass.comparison` on one kind of paper."""

import re

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass._utils.optional import import_optional
from szmass._utils.progress import progress_bar
from szmass.exceptions import InvalidInputError
from szmass.plots._cutouts import plot_gallery
from szmass.plots._errors import plot_error_distribution, plot_residuals
from szmass.plots._masses import plot_mass_comparison, plot_mass_redshift
from szmass.plots.style import COLOURS, MARKERS, log_ticks, mass_label

__all__ = ["draw_figures"]

_DPI = 150
_SIZE = (6.4, 4.6)
_MOST = 6
_GALLERY = 12
# Fewer clusters have no running median or distribution worth drawing.
_LEAST = 20


def draw_figures(content, reference, ratios, folder, stack=None, rows=None):
    """Draw all figures that the content allows.

    Parameters
    ----------
    content : Content
        The clusters.
    reference : Masses
        What the methods are compared with.
    ratios : list of dict
        From `~szmass.report._summary.mass_ratios`.
    folder : pathlib.Path
        Where to write PNG files.
    stack : `~szmass.maps.CutoutStack`, optional
        Cutouts for a gallery.
    rows : ndarray of int, optional
        Where in it the first clusters of the table are; -1 where one has none.

    Returns
    -------
    list of dict
        ``file``, ``alt``, ``caption``, ``width``, ``height``, and whether it is a ``photo``, whose
        colours are not turned in the dark.
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
    table = QTable({"name": content.names, "redshift": content.redshift})
    for method in content.methods:
        for name, values in (("", method.mass), ("errn_", method.errn), ("errp_", method.errp)):
            if name == "" or np.isfinite(values).any():
                table[f"mass_{name}{method.key}"] = values * u.solMass
    return table


def _plans(content, reference, ratios, table, stack, rows):
    others = [m for m in content.methods if m is not reference and m.known.any()]
    fits = {r["a"]: r["fit"] for r in ratios if "fit" in r and r["b"] == reference.label}
    many = len(content) >= _LEAST
    for method in others[:_MOST]:
        labels = (_label(reference), _label(method))

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
            plot_mass_redshift(table, [m.key for m in shown], ax=ax, labels=[*map(_label, shown)])
            # Looking for the best place takes long among many points.
            ax.get_legend().set_loc("lower right")

        yield (
            "redshift", _SIZE, by_redshift, "Scatter plot of mass against redshift",
            "Mass against redshift, all methods.",
        )  # fmt: skip

    snr = content.columns.get("snr")
    if shown and snr is not None and snr.values.dtype.kind == "f" and np.any(snr.values > 0):
        yield (
            "snr", _SIZE, lambda fig: _draw_snr(fig, content, shown, snr.values),
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


def _label(method):
    """Take out what means something in mathematical text."""
    return re.sub(r"[^\w .+()-]", " ", method.label).strip() or "method"


def _draw_snr(fig, content, methods, snr):
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
            alpha=0.65, label=_label(method), rasterized=True,
        )  # fmt: skip
    log_ticks(ax.xaxis)
    log_ticks(ax.yaxis)
    ax.set(xlabel="S/N", ylabel=mass_label())
    ax.legend(frameon=False, markerscale=1.5, loc="lower right")


def _brightest(content, reference, rows):
    """Places in the table of clusters for the gallery, the clearest first."""
    count = len(rows)
    snr = content.columns.get("snr")
    snr = snr if snr is not None and snr.values.dtype.kind == "f" else None
    rank = content.methods[0].mass if snr is None else snr.values
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
