"""Models fitted to tables of haloes: polynomials, with or without trees, from plain arrays."""

import importlib.resources
import json
import zipfile
import zlib
from functools import partial
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.cosmology import FlatLambdaCDM

from szmass._io.files import output_folder
from szmass._io.limits import check_npz
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.physics.baryons.model import BARYON_MODELS, HALO_UNITS, PROPERTIES, BaryonModel

__all__ = ["RegressedBaryonModel"]

_FORMAT = "szmass baryon model 1"
_CARD, _ARRAYS = "card.json", "model.npz"
_HIGHEST_POWER = 9


class RegressedBaryonModel(BaryonModel):
    """Polynomial and trees in columns of haloes, with the covariance of held-out residuals.

    Columns are taken as `standardised` gives them. Beyond all masses of the fit means go on as
    power laws; any other column is taken at the nearest value of the fit. Flags are of the masses
    of the fit at the redshift of a halo. In the covariance, each residual has a part that follows
    from those before it, with coefficients linear in ln M, and a rest, whose logarithmic variance
    is a polynomial in ln M and redshift.

    Parameters
    ----------
    card : dict
        What the model is and how it was made: see `card`.
    arrays : dict
        Its numbers: see Notes.

    Attributes
    ----------
    card : dict
        Plain texts and numbers; ``card["cross_validation"]`` has what held-out rows say.
    arrays : dict
        The numbers.

    Raises
    ------
    FileFormatError
        An array is missing or has another shape.

    See Also
    --------
    szmass.baryons.fit_baryon_model : Makes one from a table.

    Notes
    -----
    For F features, K properties and T terms: ``centre``, ``scale``, ``low``, ``high`` (F,),
    ``powers`` (T, F), ``coefficients`` (K, T), ``variance`` (K, 4) of ln variance and 1, ln M,
    (ln M)^2, z, ``link`` (K, K, 2) of 1 and ln M, ``mass_limits`` (3, Z): redshifts, lowest and
    highest ln M; with trees, for B of them of up to L leaves: ``tree_feature``, ``tree_threshold``,
    ``tree_mask`` (K, B, L - 1) and ``tree_value`` (K, B, L).
    """

    def __init__(self, card, arrays):
        self.card, self.arrays = card, arrays
        try:
            self._read_card(card)
            self._check_arrays(arrays)
        except (LookupError, TypeError, ValueError, AttributeError) as err:
            raise FileFormatError(f"The card or the arrays of a model do not fit: {err}") from err

    def _read_card(self, card):
        self.name, self.physics = card["name"], card["physics"]
        self.properties, self.features = tuple(card["properties"]), tuple(card["features"])
        self.references, self.tail = tuple(card["references"]), float(card["tail"])
        of = card["cosmology"]
        self.cosmology = FlatLambdaCDM(H0=of["H0"], Om0=of["Om0"], name=of["name"])
        self.mass_range = np.array(card["mass_range"]) * u.solMass
        self.redshift_range = tuple(map(float, card["redshift_range"]))
        self.feature_ranges = {name: tuple(v) for name, v in card["feature_ranges"].items()}
        if "lx_band" in card:
            self.lx_band = check_band_of_lx(card["lx_band"])
        if lost := [name for name in self.properties if name not in PROPERTIES]:
            raise ValueError(f"no property is named {lost[0]!r}")
        if lost := {"m500c", "redshift"} - set(self.features):
            raise ValueError(f"the features lack {lost.pop()!r}")
        if not self.tail > 2 or not self.cosmology.H0.value > 0:
            raise ValueError(f"'tail' must be above 2 and H0 positive, not {self.tail}, {of['H0']}")
        ranges = {"mass_range": card["mass_range"], "redshift_range": self.redshift_range}
        for name, (low, high) in (ranges | self.feature_ranges).items():
            if not float(low) <= float(high):
                raise ValueError(f"the limits of {name!r} must rise, not {low}, {high}")

    def _check_arrays(self, arrays):
        f, k = len(self.features), len(self.properties)
        terms, nodes = len(arrays["powers"]), arrays["mass_limits"].shape[-1]
        shapes = {
            **dict.fromkeys(("centre", "scale", "low", "high"), (f,)),
            "powers": (terms, f),
            "coefficients": (k, terms),
            "variance": (k, 4),
            "link": (k, k, 2),
            "mass_limits": (3, nodes),
        }
        if "tree_value" in arrays:
            trees, leaves = arrays["tree_value"].shape[1:]
            shapes["tree_value"] = (k, trees, leaves)
            for name in ("tree_feature", "tree_threshold", "tree_mask"):
                shapes[name] = (k, trees, leaves - 1)
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                raise FileFormatError(
                    f"The array {name!r} must have the shape {shape}. "
                    f"Received: {arrays[name].shape}"
                )
            if arrays[name].dtype.kind not in "fiu" or np.any(np.isnan(arrays[name])):
                raise FileFormatError(f"The array {name!r} must hold numbers that are known.")
        powers = arrays["powers"]
        if powers.dtype.kind == "f" or np.any((powers < 0) | (powers > _HIGHEST_POWER)):
            raise FileFormatError(
                f"The array 'powers' must hold whole numbers from 0 to {_HIGHEST_POWER}."
            )
        if not np.all(arrays["scale"] > 0):
            raise FileFormatError("The array 'scale' must be positive.")
        if not np.all(np.isfinite(arrays["coefficients"])) or not nodes:
            raise FileFormatError("'coefficients' must be finite and 'mass_limits' have redshifts.")
        if "tree_value" in arrays and not np.all(
            (arrays["tree_feature"] >= 0) & (arrays["tree_feature"] < f)
        ):
            raise FileFormatError(f"The array 'tree_feature' must hold numbers from 0 to {f - 1}.")

    def _limits(self, redshift):
        nodes, low, high = self.arrays["mass_limits"]
        return np.exp(np.interp(redshift, nodes, low)), np.exp(np.interp(redshift, nodes, high))

    def _moments(self, features):
        columns = standardised(features, self.features)
        mass = self.features.index("m500c")
        low, high = self.arrays["low"][mass], self.arrays["high"][mass]
        beyond = columns[mass] - np.clip(columns[mass], low, high)
        columns[mass] = columns[mass] - beyond
        return self._mean(columns, beyond), self._covariance(columns)

    def _mean(self, columns, beyond):
        arrays, mass = self.arrays, self.features.index("m500c")
        x = self._scaled(columns)
        coefficients, powers = arrays["coefficients"], arrays["powers"]
        mean = polynomial(x, powers) @ coefficients.T
        outside = np.flatnonzero(beyond)
        if outside.size:
            # The slope with ln M at the edge.
            lower = powers.copy()
            lower[:, mass] = np.maximum(lower[:, mass] - 1, 0)
            slope = polynomial(x[:, outside], lower) @ (coefficients * powers[:, mass]).T
            mean[outside] += beyond[outside, np.newaxis] / arrays["scale"][mass] * slope
        if "tree_value" in arrays:
            for j in range(len(self.properties)):
                mean[:, j] += sum_of_trees(x, {n: arrays[f"tree_{n}"][j] for n in _TREE})
        return mean

    def _scaled(self, columns):
        arrays = self.arrays
        return np.array(
            [
                (np.clip(column, low, high) - centre) / scale
                for column, low, high, centre, scale in zip(
                    columns, *(arrays[n] for n in ("low", "high", "centre", "scale")), strict=True
                )
            ]
        )

    def _covariance(self, columns):
        x = self._scaled(columns)
        mass, redshift = (x[self.features.index(name)] for name in ("m500c", "redshift"))
        return covariances(mass, redshift, self.arrays["variance"], self.arrays["link"])

    def write(self, folder, *, overwrite=False):
        """Write the model as a card in JSON and plain arrays.

        Parameters
        ----------
        folder : str or path
            Folder for ``card.json`` and ``model.npz``.
        overwrite : bool, optional
            Replace files in a folder that has some.

        Raises
        ------
        InvalidInputError
            The folder cannot be written to.
        """
        with output_folder(folder, overwrite=overwrite) as temporary:
            np.savez_compressed(temporary / _ARRAYS, **self.arrays)
            text = json.dumps({"format": _FORMAT, **self.card}, indent=1)
            (temporary / _CARD).write_text(f"{text}\n", encoding="utf-8")

    @classmethod
    def read(cls, folder):
        """Read a model that `write` wrote; it predicts the same to the last bit.

        Parameters
        ----------
        folder : str or path
            The folder.

        Returns
        -------
        `RegressedBaryonModel`
            The model.

        Raises
        ------
        FileFormatError
            A file is missing, damaged or something else.
        """
        folder = Path(folder)
        try:
            card = json.loads((folder / _CARD).read_text(encoding="utf-8"))
            if not isinstance(card, dict) or card.get("format") != _FORMAT:
                raise ValueError(f"{_CARD} is not one of {_FORMAT!r}")
            check_npz(folder / _ARRAYS)
            with np.load(folder / _ARRAYS, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (
            OSError, ValueError, EOFError, LookupError, zipfile.BadZipFile, zlib.error,
            NotImplementedError,
        ) as err:  # fmt: skip
            raise FileFormatError(
                f"{str(folder)!r} is not the folder of a baryon model: {err}"
            ) from err
        card.pop("format")
        return cls(card, arrays)


_TREE = ("feature", "threshold", "mask", "value")


def check_band_of_lx(band):
    """Give the band of ``lx``: lower and upper energy [keV] and the frame they are in."""
    try:
        low, high, frame = band
        fine = 0 < low < high < np.inf and frame in ("rest", "observer")
    except (TypeError, ValueError):
        fine = False
    if not fine:
        raise InvalidInputError(
            "'lx_band' must be the lower and the higher energy in keV and 'rest' or 'observer', "
            f"for instance (0.5, 2.0, 'rest'). Received: {band!r}"
        )
    return tuple(band)


def standardised(features, names):
    """Give columns as they are fitted: a list of arrays (N,).

    ln M500c; the redshift; other masses and radii by their logarithm, masses relative to M500c; the
    half-mass scale relative to that of the halo, in logarithm; anything else as it is.
    """
    columns = []
    for name in names:
        column = np.asarray(features[name], dtype=float)
        if name == "half_mass_scale":
            column = np.log(column * (1 + features["redshift"]))
        elif name in HALO_UNITS and name != "accretion_rate":
            of_mass = name != "m500c" and HALO_UNITS[name] == u.solMass
            column = np.log(column / features["m500c"] if of_mass else column)
        columns.append(column)
    return columns


def polynomial(x, powers):
    """Give the terms (N, T) of columns (F, N) raised to powers (T, F)."""
    result = np.ones((x.shape[1], len(powers)))
    for column, row in zip(result.T, powers, strict=True):
        for feature in np.flatnonzero(row):
            for _ in range(row[feature]):
                column *= x[feature]
    return result


def sum_of_trees(x, trees):
    """Add up what trees (B, ...) say of columns (F, N).

    Each split knows by a mask which leaves are out of reach to the right of its threshold; the
    first leaf that is left once all have spoken is the one that a walk through the tree ends at
    (Lucchese et al. 2015).
    """
    value, leaves = trees["value"], trees["value"].shape[1]
    kind = next(t for t in (np.uint8, np.uint16, np.uint32, np.uint64) if leaves <= t(0).nbytes * 8)
    masks = trees["mask"].astype(kind)
    ranks, codes = _ranked(x, trees["feature"], trees["threshold"])
    # The first leaf of each set of up to eight; no set is empty.
    first = np.array([(bits & -bits).bit_length() - 1 for bits in range(256)])
    first = np.clip(first, 0, leaves - 1)
    total = np.zeros(x.shape[1])
    for tree in range(len(value)):
        left = np.full(x.shape[1], np.iinfo(kind).max, dtype=kind)
        for split in range(leaves - 1):
            # All ones where a halo goes left: nothing is out of reach then.
            reach = (codes[trees["feature"][tree, split]] > ranks[tree, split]).astype(kind)
            reach -= kind(1)
            reach |= masks[tree, split]
            left &= reach
        if kind is np.uint8:
            total += value[tree, first].take(left)
        else:
            lowest = (left & (~left + kind(1))).astype(float)
            total += value[tree].take(np.frexp(lowest)[1] - 1)
    return total


def _ranked(x, feature, threshold):
    """Ranks of thresholds among those of their feature, and by feature of values there."""
    ranks, codes = np.zeros(threshold.shape, dtype=np.int64), {}
    for f in np.unique(feature):
        own = feature == f
        levels = np.unique(threshold[own])
        ranks[own] = np.searchsorted(levels, threshold[own])
        code = np.searchsorted(levels, x[f])
        codes[f] = code.astype(np.uint8 if len(levels) < 256 else np.uint16)
    return ranks.astype(np.uint8 if ranks.max() < 255 else np.uint16), codes


def covariances(mass, redshift, variance, link):
    """Give covariances (N, K, K) from scaled ln M and redshift (N,)."""
    k = len(variance)
    basis = np.array([np.ones_like(mass), mass, mass**2, redshift])
    own = np.exp(variance @ basis)
    root = np.zeros((len(mass), k, k))
    for i in range(k):
        for j in range(i):
            root[:, i] += (link[i, j] @ basis[:2])[:, np.newaxis] * root[:, j]
        root[:, i, i] = 1
    return np.einsum("nij,jn,nkj->nik", root, own, root)


def _read(name):
    with importlib.resources.as_file(
        importlib.resources.files("szmass") / "data" / "baryons" / name
    ) as folder:
        return RegressedBaryonModel.read(folder)


for _name in (
    "the300-gadgetx",
    "the300-gadgetx-m200",
    "the300-gadgetx-formation",
    "the300-gadgetx-assembly",
    "the300-gadgetx-state",
    "the300-gadgetx-boosting",
    "the300-gizmo",
):
    BARYON_MODELS.add_lazily(_name, partial(_read, _name))
