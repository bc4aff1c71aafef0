"""The statistics of the report."""

import itertools

import astropy.units as u
import numpy as np

from szmass.comparison.regression import fit_mass_ratio
from szmass.comparison.statistics import relative_difference_table
from szmass.exceptions import InvalidInputError
from szmass.report._words import FLAG_WORDS

__all__ = ["choose_reference", "mass_ratios", "summarise"]

# A ratio and its scatter cannot be fitted to fewer clusters.
_LEAST = 3


def choose_reference(content, name=None):
    """Choose the method that others are compared with.

    Parameters
    ----------
    content : Content
        The masses.
    name : str, optional
        Its name; by default the truth if it is known, else the catalogue, else the first method.

    Returns
    -------
    Masses
        The method.
    """
    if name is not None:
        return content.method(name)
    for kind in ("truth", "catalogue"):
        for method in content.methods:
            if method.kind == kind and method.known.any():
                return method
    return content.methods[0]


def summarise(content, reference):
    """Compute all that the front page says in numbers.

    Parameters
    ----------
    content : Content
        The masses.
    reference : Masses
        What the others are compared with.

    Returns
    -------
    dict
        ``methods``, ``flags``, ``matrix``, ``differences``, ``ratios``, ``redshift``.
    """
    z = content.redshift
    known = np.isfinite(z)
    return {
        "redshift": {
            "n": int(known.sum()),
            "low": float(z[known].min()) if known.any() else None,
            "high": float(z[known].max()) if known.any() else None,
            "median": float(np.median(z[known])) if known.any() else None,
        },
        "methods": [_method_facts(method) for method in content.methods],
        "flags": _flags(content),
        "matrix": _matrix(content.methods),
        "differences": _differences(content, reference),
        "ratios": mass_ratios(content),
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
        "weighed": int(known.sum()),
        "flagged": int(np.count_nonzero(method.flag)),
        "low": _scaled(mass.min()) if len(mass) else None,
        "median": _scaled(np.median(mass)) if len(mass) else None,
        "high": _scaled(mass.max()) if len(mass) else None,
        "error": float(100 * np.median(error)) if len(error) else None,
    }


def _scaled(mass):
    return float(mass / 1e14)


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


def mass_ratios(content):
    """Fit the ratio of each method's masses to those of weak lensing (1-b), or to the true ones.

    Parameters
    ----------
    content : Content
        The masses.

    Returns
    -------
    list of dict
        Label of both, ``fit`` (a `~szmass.comparison.RelationFit`) or ``why`` there is none.
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
            if np.count_nonzero(both) < _LEAST:
                found["why"] = (
                    f"{np.count_nonzero(both)} cluster(s) have both, and {_LEAST} are needed"
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
