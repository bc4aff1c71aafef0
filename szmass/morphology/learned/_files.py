"""Files of fits of the state: a card, and plain arrays beside it."""

import hashlib
import json
import zipfile
import zlib

import astropy.units as u
import numpy as np

from szmass._io.download import check_sha256
from szmass._io.files import atomic_path
from szmass._io.limits import check_npz
from szmass._utils.kinds import as_path
from szmass._utils.quantities import as_floats
from szmass.exceptions import FileFormatError, IntegrityError, InvalidInputError, SzmassError
from szmass.maps import CutoutGeometry
from szmass.morphology.definitions import get_morphology_preset
from szmass.morphology.learned._arrays import packed, unpacked
from szmass.morphology.learned._prior import BEFORE

#: Version of the cards.
FORMAT_VERSION = 1
_DAMAGES = (  # what reading something else, or less, raises
    *(AttributeError, LookupError, TypeError, ValueError, OSError, EOFError),
    *(zipfile.BadZipFile, zlib.error),
)


def write_fits(fits, path, overwrite):
    """Write the card of fits to a path, and their arrays beside it."""
    path = as_path(path)
    if path.suffix != ".json":
        raise InvalidInputError(f"'path' must end in .json. Received: {str(path)!r}")
    arrays = {}
    for definition, prior in fits.priors.items():
        own = fits.regressions[definition]
        arrays |= packed(f"{definition}/prior", [prior]) | packed(definition, list(own.values()))
        arrays[f"{definition}/classes"] = np.array(list(own), np.int16)
    names = {
        "prior": list(BEFORE),
        "fit": list(next(iter(next(iter(fits.regressions.values())).values())).names),
    }
    card = fits.card | {"names": names, "definitions": list(fits.priors)}
    with (  # both are written before either takes its place
        atomic_path(path, overwrite=overwrite) as text,
        atomic_path(path.with_suffix(".npz"), overwrite=overwrite) as binary,
    ):
        with open(binary, "wb") as stream:
            np.savez_compressed(stream, **arrays)
        card["sha256"] = hashlib.sha256(binary.read_bytes()).hexdigest()
        text.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def read_fits(path):
    """Card, regressions and priors of the fits of a card."""
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        if card["format_version"] != FORMAT_VERSION:
            raise ValueError(f"its format has version {card['format_version']}")
        file = path.with_suffix(".npz")
        check_sha256(file, card.pop("sha256"), remedy="Train or install the fits again.")
        check_npz(file)
        names, regressions, priors = card.pop("names"), {}, {}
        _check_card(card, names)
        with np.load(file, allow_pickle=False) as arrays:
            for definition in card.pop("definitions"):
                (priors[definition],) = unpacked(
                    arrays, f"{definition}/prior", definition, names["prior"]
                )
                keys = [tuple(key) for key in arrays[f"{definition}/classes"].tolist()]
                if {len(key) for key in keys} != {len(card["bands"])}:
                    raise ValueError(f"its classes of {definition!r} are not those of bands")
                own = unpacked(arrays, definition, definition, names["fit"])
                regressions[definition] = dict(zip(keys, own, strict=True))
        return card, regressions, priors
    except (*_DAMAGES, SzmassError) as err:
        if isinstance(err, FileFormatError | IntegrityError):
            raise
        raise FileFormatError(f"{path} are no fits of states: {err}") from err


def _check_card(card, names):
    """Raise an error where a card lacks what is asked of it later, or has something else there."""
    bands = card["bands"]
    if not bands or not set(bands) <= {"y", "X"}:
        raise ValueError(f"its bands must be of y and X, not {bands}")
    for key in ("beam_arcmin", "pixel_arcmin"):
        as_floats(card[key], "", key, positive=True, finite=True)
    for key in ("log10_mass", "redshift"):
        edges = as_floats(card[key], "", key, finite=True)
        if edges.shape != (2,) or edges[0] > edges[1]:
            raise ValueError(f"{key!r} must be two rising numbers, not {card[key]}")
    for band in bands:
        edges = as_floats(card["edges"][band], "", f"edges of {band!r}", finite=True)
        if edges.ndim != 1 or np.any(np.diff(edges) <= 0):
            raise ValueError(f"the edges of {band!r} must rise, and are {card['edges'][band]}")
    CutoutGeometry(tuple(card["shape"]), card["pixel_arcmin"] * u.arcmin)
    get_morphology_preset(card["preset"])
    if card["center"] not in ("peak", "centroid", "middle"):
        raise ValueError(f"'center' must be 'peak', 'centroid' or 'middle', not {card['center']!r}")
    if not isinstance(card["name"], str) or names["prior"] != list(BEFORE):
        raise ValueError("its name is no text, or its prior is of something else")
    dict(card["training"])
    for found in card["metrics"].values():
        dict(found["all"])
