"""Where the numbers of the report come from: versions, files, catalogue, map, cards, seeds."""

import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np

from szmass._io.download import file_sha256
from szmass.version import __version__

__all__ = ["describe_methods", "describe_origin"]


def describe_origin(content, stack, inputs):
    """Collect what the masses were made from.

    Parameters
    ----------
    content : Content
        The clusters.
    stack : `~szmass.maps.CutoutStack` or None
        Their cutouts.
    inputs : dict of str to path-like or None
        Files by what they are.

    Returns
    -------
    list of (str, object)
        Rows of the table of provenance; values are plain or nested dicts and lists.
    """
    rows = [("Report", f"szmass {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")]
    packages = ("numpy", "scipy", "astropy", "matplotlib", "healpy", "keras")
    rows.append(
        (
            "Versions here",
            ", ".join(
                [f"Python {platform.python_version()}"]
                + [f"{name} {version}" for name in packages if (version := _version(name))]
            ),
        )
    )
    made = {
        str(method.meta["szmass_version"])
        for method in content.estimators
        if "szmass_version" in method.meta
    }
    if made:
        rows.append(("Masses made by", ", ".join(f"szmass {version}" for version in sorted(made))))
    for label, file in (inputs or {}).items():
        file = Path(file)
        rows.append(
            (
                f"File: {label}",
                f"{file.name}, {file.stat().st_size} bytes, SHA-256 {file_sha256(file)}",
            )
        )
    sample = content.meta.get("sample")
    if isinstance(sample, dict) and sample.get("catalog"):
        rows.append(("Catalogue", _plainly(sample)))
    if stack is not None:
        facts = {
            "cutouts": len(stack),
            "grid": repr(stack.geometry),
            "beam": "not known" if stack.beam is None else str(stack.beam),
            "interpolation": stack.interpolation or "not known",
        }
        rows.append(("Cutouts", facts | {str(k): _plainly(v) for k, v in stack.meta.items()}))
    cards = {
        method.label: {key: value for key, value in method.meta.items() if "card" in key}
        for method in content.methods
    }
    cards = {label: _plainly(card) for label, card in cards.items() if card}
    if cards:
        rows.append(("Model cards", cards))
    seeds = dict(_seeds(content.meta))
    rows.append(("Seeds", seeds or "none on record"))
    return rows


def _seeds(meta, path=""):
    for key, value in meta.items():
        where = f"{path}{key}"
        if isinstance(value, dict):
            yield from _seeds(value, f"{where}.")
        elif "seed" in str(key).lower():
            yield where, value


def describe_methods(content):
    """Collect all that the table has on record.

    Parameters
    ----------
    content : Content
        The clusters.

    Returns
    -------
    list of (str, dict)
        A heading and what stands below it.
    """
    details = [(method.label, _plainly(method.meta)) for method in content.methods if method.meta]
    rest = {
        key: value
        for key, value in content.meta.items()
        if key not in ("methods", "__serialized_columns__", *_method_keys(content))
    }
    return details + [("Everything else on record", _plainly(rest))] * bool(rest)


def _method_keys(content):
    """Keys of a table of one method, whose meta is that of the table."""
    return content.methods[0].meta if content.methods[0].meta == content.meta else ()


def _plainly(value):
    """Reduce what stands in meta to what the template shows."""
    if isinstance(value, dict):
        return {str(key): _plainly(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plainly(inner) for inner in value]
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return value if isinstance(value, int | float) or value is None else str(value)


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
