"""Columns of a table as plain arrays, and back: what stands beside the maps of a data set."""

import dataclasses
import hashlib
from dataclasses import dataclass
from urllib.parse import quote

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn
from astropy.utils.masked import Masked

from szmass._tables.columns import column_parts
from szmass.exceptions import InvalidInputError

# Frames that are kept as they are; positions in others are stored in ICRS.
_FRAMES = ("galactic", "icrs")


@dataclass(frozen=True)
class ColumnSpec:
    """What a column holds: "number", "text" (UTF-8, ``shape`` bytes) or "position" ([deg])."""

    name: str
    kind: str
    dtype: str
    shape: tuple = ()
    unit: str | None = None
    masked: bool = False
    frame: str | None = None
    description: str = ""

    @classmethod
    def from_dict(cls, values):
        """Make a spec of what `dataclasses.asdict` gave, also by way of JSON, or ValueError."""
        spec = cls(**{**values, "shape": tuple(values["shape"])})
        if not isinstance(spec.name, str) or spec.kind not in ("number", "text", "position"):
            raise ValueError(f"no column: {spec}")
        if spec.unit is not None:
            u.Unit(spec.unit)
        return spec

    def arrays(self):
        """Give name, dtype and shape of one entry of each of its arrays."""
        node = quote(self.name, safe=" +-()[],")
        if self.kind == "position":
            parts = [(f"{node}.lon", self.dtype, ()), (f"{node}.lat", self.dtype, ())]
        else:
            parts = [(node, self.dtype, self.shape)]
        if self.masked:
            parts.append((f"{node}.mask", "bool", () if self.kind == "text" else self.shape))
        return parts


def describe_columns(table, *, masks=None):
    """Specs of columns; the table ``masks`` says if they are masked, and how long texts are."""
    whole = table if masks is None else masks
    specs = tuple(
        _describe(name, table[name], whole[name] if name in whole.colnames else table[name])
        for name in table.colnames
    )
    nodes = [node for spec in specs for node, _, _ in spec.arrays()]
    for node in nodes:
        if node.startswith("__") or not node.strip(".") or nodes.count(node) > 1:
            raise InvalidInputError(f"A column cannot have the name {node!r} here: rename it.")
    return specs


def with_longer_names(specs, more):
    """Make room for longer names: ``more`` bytes in the column ``name``."""
    return tuple(
        dataclasses.replace(spec, shape=(spec.shape[0] + more,)) if spec.name == "name" else spec
        for spec in specs
    )


def _describe(name, column, whole):
    description = getattr(getattr(column, "info", None), "description", None) or ""
    if isinstance(column, SkyCoord):
        frame = column.frame.name if column.frame.name in _FRAMES else "icrs"
        return ColumnSpec(name, "position", "float64", frame=frame, description=description)
    values, _, unit = column_parts(column)
    mask = column_parts(whole)[1]
    masked = bool(np.any(mask))
    shape = values.shape[1:]
    if values.dtype.kind in "US" and not shape:
        width = max(1, _as_bytes(column_parts(whole)[0]).dtype.itemsize)
        # A column of few rows may have room for longer texts than it holds.
        if whole is column and values.dtype.kind == "U":
            width = max(width, values.dtype.itemsize // 4)
        return ColumnSpec(name, "text", "uint8", (width,), None, masked, None, description)
    if values.dtype.kind not in "fiub":
        raise InvalidInputError(
            f"The column {name!r} holds neither numbers nor text nor positions (dtype "
            f"{values.dtype}); remove or convert it."
        )
    dtype = values.dtype.newbyteorder("=").name
    unit = None if unit is None else u.Unit(unit).to_string()
    return ColumnSpec(name, "number", dtype, shape, unit, masked, None, description)


def _as_bytes(texts):
    texts = np.asarray(texts)
    return texts if texts.dtype.kind == "S" else np.char.encode(texts.astype(str), "utf-8")


def encode(table, specs):
    """Give the columns of a table as arrays by name."""
    arrays = {}
    for spec in specs:
        nodes = [node for node, _, _ in spec.arrays()]
        column = table[spec.name]
        if spec.kind == "position":
            position = column.transform_to(spec.frame).spherical
            arrays[nodes[0]], arrays[nodes[1]] = position.lon.deg, position.lat.deg
            continue
        values, mask, _ = column_parts(column)
        if np.any(mask) and not spec.masked:
            raise InvalidInputError(f"The column {spec.name!r} has masked rows here alone.")
        if spec.kind == "text":
            values = np.where(mask, "", values.astype(str)) if np.any(mask) else values
            texts = _as_bytes(values)
            width = spec.shape[0]
            if texts.dtype.itemsize > width:
                raise InvalidInputError(
                    f"A text of the column {spec.name!r} is longer than {width} bytes."
                )
            padded = texts.astype(f"S{width}")
            arrays[nodes[0]] = padded.view(np.uint8).reshape(len(padded), width)
        else:
            values = values.astype(spec.dtype)
            if np.any(mask):
                values[mask] = 0
            arrays[nodes[0]] = values
        if spec.masked:
            arrays[nodes[-1]] = np.broadcast_to(mask, np.shape(values))
    return arrays


def decode(spec, read):
    """Make a column of its arrays, which ``read`` gives by name."""
    nodes = [node for node, _, _ in spec.arrays()]
    if spec.kind == "position":
        return SkyCoord(*(read(node) * u.deg for node in nodes), frame=spec.frame)
    values = read(nodes[0])
    if spec.kind == "text":
        values = np.ascontiguousarray(values).view(f"S{spec.shape[0]}")[:, 0]
        values = np.char.decode(values, "utf-8") if len(values) else values.astype(str)
    mask = read(nodes[-1]) if spec.masked else None
    if spec.unit is not None:
        values = u.Quantity(values, spec.unit, copy=False)
        column = values if mask is None else Masked(values, mask)
    else:
        column = Column(values) if mask is None else MaskedColumn(values, mask=mask)
    if spec.description:
        column.info.description = spec.description
    return column


def table_digest(table):
    """Give the SHA-256 of the columns of a table: names, units and values."""
    specs = describe_columns(table)
    digest = hashlib.sha256()
    arrays = encode(table, specs)
    for spec in specs:
        digest.update(repr(dataclasses.astuple(spec)[:-1]).encode())
        for node, _, _ in spec.arrays():
            digest.update(np.ascontiguousarray(arrays[node]).tobytes())
    return digest.hexdigest()
