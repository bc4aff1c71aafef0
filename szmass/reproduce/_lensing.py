"""Masses against those of weak lensing: pairs, and the ratio 1-b fitted to them."""

import os

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable, vstack

from szmass.catalogs import LensingTable, crossmatch, load_catalog
from szmass.comparison.regression import fit_mass_ratio
from szmass.exceptions import InvalidInputError
from szmass.results.masses import column_suffix

__all__ = ["fit_ratios", "fit_table", "format_fits", "match_lensing"]

_RADIUS, _DELTA_REDSHIFT, _COSMOLOGY = "10 arcmin", 0.03, "PSZ2"
# Fewer clusters do not determine a ratio and its scatter.
_LEAST = 4
_MASSES = ("mass", "mass_errn", "mass_errp")


def match_lensing(table, lensing, exclude=()):
    """Find the clusters that have a lensing mass.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Masses of real clusters with ra and dec.
    lensing : sequence of `~szmass.catalogs.LensingTable` or str
        Tables, their files or tags.
    exclude : sequence of str
        Names of lensing clusters to leave out.

    Returns
    -------
    `~astropy.table.QTable`
        A row per pair: ``table`` (the tag), ``wl_name``, ``mass_wl`` with errors, ``row`` of the
        cluster in ``table``, and its columns. Where several lensing clusters are one SZ source
        they are all left out.

    Raises
    ------
    InvalidInputError
        One is no lensing table.
    """
    position = SkyCoord(table["ra"], table["dec"], frame="icrs")
    ours = QTable({"name": table["name"], "coord": position, "redshift": table["redshift"]})
    ours["row"] = np.arange(len(table))
    parts = []
    for source in lensing:
        catalog = _load(source)
        masses = catalog.masses(mass_definition="500c", cosmology=_COSMOLOGY)
        pairs = crossmatch(
            masses, ours, radius=_RADIUS, delta_redshift=_DELTA_REDSHIFT, mode="nearest",
            prefixes=("wl", "sz"),
        )  # fmt: skip
        rows, counts = np.unique(np.asarray(pairs["sz_row"], dtype=int), return_counts=True)
        alone = np.isin(pairs["sz_row"], rows[counts == 1])
        pairs = pairs[alone & ~np.isin(np.asarray(pairs["wl_name"], dtype=str), list(exclude))]
        part = table[np.asarray(pairs["sz_row"], dtype=int)]
        part.meta = {}
        part["table"] = [catalog.tag or "lensing"] * len(pairs)
        part["wl_name"] = np.asarray(pairs["wl_name"], dtype=str)
        for name in ("mass", "mass_errn", "mass_errp"):
            values = pairs[f"wl_{name}"]
            values = getattr(values, "unmasked", values)
            part[f"{name}_wl"] = values
        parts.append(part)
    if not parts:
        return None
    result = vstack(parts, metadata_conflicts="silent")
    result.meta["methods"] = dict(table.meta["methods"])
    return result


def fit_ratios(pairs, methods):
    """Fit the ratio of each method's masses to those of lensing.

    Parameters
    ----------
    pairs : `~astropy.table.QTable`
        From `match_lensing`.
    methods : sequence of str
        Methods; "msz" is the catalogue's mass.

    Returns
    -------
    dict of (str, str) to `~szmass.comparison.RelationFit`
        By method and lensing table; "all" takes each cluster from the first table that has it.
        What has less than four clusters is not there.
    """
    names = np.asarray(pairs["table"], dtype=str)
    first = np.zeros(len(pairs), dtype=bool)
    first[np.unique(np.asarray(pairs["name"], dtype=str), return_index=True)[1]] = True
    groups = {tag: names == tag for tag in dict.fromkeys(names)}
    if len(groups) > 1:
        groups["all"] = first
    fits = {}
    for method in methods:
        columns = _columns(method, pairs)
        if columns is None:
            continue
        values = [pairs[name].to_value(u.solMass) for name in columns]
        lensing = [pairs[f"{name}_wl"].to_value(u.solMass) for name in _MASSES]
        known = np.isfinite(np.sum([*values, *lensing], axis=0))
        for tag, inside in groups.items():
            rows = known & inside
            if np.count_nonzero(rows) < _LEAST:
                continue
            (a, *err_a), (b, *err_b) = (
                [value[rows] * u.solMass for value in part] for part in (values, lensing)
            )
            fits[method, tag] = fit_mass_ratio(a, b, err_a=tuple(err_a), err_b=tuple(err_b))
    return fits


def fit_table(fits):
    """Put the fits into a table.

    Parameters
    ----------
    fits : dict
        From `fit_ratios`.

    Returns
    -------
    `~astropy.table.QTable`
        A row per method and lensing table.
    """
    rows = []
    for (method, tag), fit in fits.items():
        row = fit.to_table()
        row.add_columns([[method], [tag]], names=["mass", "table"], indexes=[0, 0])
        rows.append(row)
    return vstack(rows)


def format_fits(fits):
    """Write the fits as Markdown.

    Parameters
    ----------
    fits : dict
        From `fit_ratios`.

    Returns
    -------
    str
        A table with a line per method and lensing table.
    """
    lines = [
        "| masses | lensing table | clusters | ratio to the lensing mass | scatter in ln |",
        "|---|---|---|---|---|",
    ]
    for (method, tag), fit in fits.items():
        name = "MSZ (1-b)" if method == "msz" else method
        lines.append(
            f"| {name} | {tag} | {fit.n} | {fit.value:.2f} -{fit.errn:.2f} +{fit.errp:.2f} | "
            f"{fit.scatter:.2f} -{fit.scatter_errn:.2f} +{fit.scatter_errp:.2f} |"
        )
    return "\n".join(lines)


def _columns(method, table):
    suffix = column_suffix(method)
    columns = (
        ["msz", "msz_errn", "msz_errp"]
        if method == "msz"
        else [f"{name}_{suffix}" for name in _MASSES]
    )
    return columns if set(columns) <= set(table.colnames) else None


def _load(source):
    if isinstance(source, str | os.PathLike):
        source = load_catalog(source)
    if not isinstance(source, LensingTable):
        raise InvalidInputError(
            "'lensing' must hold lensing tables, their files or tags. Received: "
            f"{type(source).__name__}"
        )
    return source
