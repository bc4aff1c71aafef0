"""Origin of a data set as plain values that JSON can hold and that can be compared."""

import dataclasses
import hashlib
import json

import astropy.units as u
import numpy as np
from astropy.cosmology import FLRW

from szmass.exceptions import InvalidInputError
from szmass.maps.cutouts import CutoutStack
from szmass.maps.noise import NoiseModel
from szmass.simulations.field.ingredients import UNRECORDED_DEFAULT, Ingredient

__all__ = ["array_digest", "differences", "plain"]


def array_digest(array):
    """Give the SHA-256 of an array.

    Parameters
    ----------
    array : array-like
        The array.

    Returns
    -------
    str
        Of its type, shape and values.
    """
    array = np.asarray(array)
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    rows = max(1, (1 << 26) // max(1, array[:1].nbytes)) if array.ndim else 1
    for start in range(0, len(array) if array.ndim else 1, rows):
        part = array[start : start + rows] if array.ndim else array
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def plain(value):
    """Describe a value by numbers, texts, lists and dictionaries alone.

    Parameters
    ----------
    value : object
        A setting of a simulation: observation, model, cosmology, number, quantity, ...

    Returns
    -------
    object
        The same for equal settings. Long arrays are named by their SHA-256.

    Raises
    ------
    InvalidInputError
        There is no description of such an object that would stay the same.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, u.Quantity):
        return {"value": plain(value.value), "unit": value.unit.to_string()}
    if isinstance(value, np.ndarray):
        return {"sha256": array_digest(value)} if value.size > 64 else value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, FLRW):
        return plain(value.to_format("mapping"))
    if isinstance(value, NoiseModel):
        return {
            "class": "NoiseModel",
            "spectrum": plain(value.spectrum(value.ell).to_value("sr")),
            **{name: plain(getattr(value, name)) for name in ("ell", "beam", "depth", "meta")},
        }
    if isinstance(value, CutoutStack):
        positions = value.coord.icrs
        return {
            "class": "CutoutStack",
            "data": array_digest(value.data),
            "positions": array_digest(np.stack([positions.ra.deg, positions.dec.deg])),
            **{name: plain(getattr(value, name)) for name in ("geometry", "beam", "interpolation")},
        }
    if dataclasses.is_dataclass(value):
        state = {
            f.name: plain(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if not (f.metadata == UNRECORDED_DEFAULT and getattr(value, f.name) == f.default)
        }
    elif hasattr(value, "to_dict"):  # the depth of a noise model
        state = plain({**value.to_dict(), "values": getattr(value, "values", None)})
    elif " at 0x" not in repr(value):
        return repr(value)
    else:
        raise InvalidInputError(
            f"A data set records all that it was made from, and {value!r} cannot be put into "
            "words. Make it a dataclass, or give it a __repr__ with all of its values."
        )
    kind = {"ingredient": value.name} if isinstance(value, Ingredient) else {}
    return {"class": type(value).__name__, **kind, **state}


def differences(stored, asked, prefix=""):
    """List in what two descriptions differ, for an error message.

    Parameters
    ----------
    stored, asked : dict
        The descriptions.
    prefix : str, optional
        Put before the keys.

    Returns
    -------
    list of str
        For instance ``"seed: 1 there, 2 asked for"``.
    """
    found = []
    for key in sorted({*stored, *asked}):
        old, new = stored.get(key), asked.get(key)
        if old == new:
            continue
        named_old, named_new = _by_name(old), _by_name(new)
        if named_old is not None and named_new is not None:
            inner = differences(named_old, named_new, f"{prefix}{key}.")
            found += inner or [f"{prefix}{key}: in another order"]
        else:
            found.append(f"{prefix}{key}: {_short(old)} there, {_short(new)} asked for")
    return found


def _by_name(value):
    """A dict, or a list of descriptions as a dict by their names; None for anything else."""
    if isinstance(value, dict):
        return value
    named = isinstance(value, list) and all(isinstance(v, dict) and "name" in v for v in value)
    return {entry["name"]: entry for entry in value} if named and value else None


def _short(value):
    text = json.dumps(value)
    return text if len(text) < 70 else text[:67] + "..."
