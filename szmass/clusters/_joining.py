"""Samples of single clusters, and several samples as one."""

import warnings
from collections.abc import Sequence
from typing import Any

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, TableMergeError, vstack
from astropy.utils.masked import Masked

from szmass.clusters.cluster import NUMBERS, Cluster
from szmass.exceptions import InvalidInputError, SzmassWarning


def table_of(clusters: Sequence[Cluster]) -> QTable:
    """Make the table of a sample of `Cluster` s (at least one), all in the frame of the first."""
    frame = clusters[0].coord.frame.replicate_without_data()
    table = QTable({"name": [cluster.name for cluster in clusters]})
    table["coord"] = SkyCoord([cluster.coord.transform_to(frame) for cluster in clusters])
    for name in NUMBERS:
        values = [getattr(cluster, name) for cluster in clusters]
        if name == "redshift" or any(value is not None for value in values):
            table[name] = _column(values, name)
    for name in dict.fromkeys(name for cluster in clusters for name in cluster.measurements):
        table[name] = _column([cluster.measurements.get(name) for cluster in clusters], name)
    return table


def _column(values: Sequence[Any], name: str) -> Any:
    """Make a column of values that may be None, in the unit of the first that has one."""
    mask = np.array([value is None for value in values])
    known = [value for value in values if value is not None]
    unit = next((value.unit for value in known if isinstance(value, u.Quantity)), None)
    if unit is None:
        plain = all(isinstance(v, bool | int | float | str | np.generic) for v in known)
        kind = None if plain else object
        filler = known[0] if known else np.nan
        filled = [filler if v is None else v for v in values]
        if mask.any():
            return MaskedColumn(filled, mask=mask, dtype=kind)
        return Column(filled, dtype=kind)
    try:
        numbers = [np.nan if v is None else u.Quantity(v).to_value(unit) for v in values]
    except u.UnitConversionError as err:
        raise InvalidInputError(
            f"'{name}' must have units that convert into one another in all clusters: {err}"
        ) from err
    return Masked(numbers * unit, mask=mask)


def stack_of(clusters: Sequence[Cluster]) -> Any:
    """Stack the cutouts of clusters; None where none has one."""
    lacking = [cluster.name for cluster in clusters if cluster.cutout is None]
    if len(lacking) == len(clusters):
        return None
    if lacking:
        raise InvalidInputError(
            f"{len(lacking)} of {len(clusters)} clusters have no cutout, {lacking[0]!r} for "
            "instance. Give each of them one: cluster.attach_cutouts(ymap)."
        )
    first, *others = (cluster.cutout for cluster in clusters)
    return first.to_stack(*others)


def joined(samples: Sequence[Any]) -> tuple[QTable, Any]:
    """Join the tables of samples (at least one), and their cutouts as far as all have some."""
    frame = samples[0].coord.frame.replicate_without_data()
    parts = []
    for sample in samples:
        part = sample.table.copy(copy_data=False)
        part["coord"] = sample.coord.transform_to(frame)
        part.meta = {}
        parts.append(part)
    try:
        table = vstack(parts, join_type="outer")
    except (TableMergeError, u.UnitConversionError, TypeError, ValueError) as err:
        raise InvalidInputError(
            f"The columns of the samples do not go together: {err}. Rename or remove the column in "
            "one of them, for instance sample.table.remove_column(name)."
        ) from err
    first = samples[0].meta
    table.meta = {
        key: value
        for key, value in first.items()
        if all(key in s.meta and _same(s.meta[key], value) for s in samples)
    }
    stacks = [sample.cutouts for sample in samples]
    without = [i for i, stack in enumerate(stacks) if stack is None and len(samples[i])]
    stacks = [stack for stack in stacks if stack is not None]
    if stacks and without:
        warnings.warn(
            f"Sample {without[0]} has no cutouts: those of the others are left out. Attach cutouts "
            "to the joined sample.",
            SzmassWarning,
            stacklevel=3,
        )
        stacks = []
    if any(sample.fields for sample in samples):
        warnings.warn(
            "Maps of other fields ('fields') are left out of the joined sample.",
            SzmassWarning,
            stacklevel=3,
        )
    stack = None
    if stacks:
        stack = type(stacks[0]).from_cutouts([cutout for part in stacks for cutout in part])
    return table, stack


def _same(a: Any, b: Any) -> bool:
    try:
        return bool(np.all(a == b))
    except (TypeError, ValueError):
        return False
