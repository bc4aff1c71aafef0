"""The model card: what a network was trained on, what it takes and what it gives."""

import dataclasses
import hashlib
import json
import sys
from dataclasses import dataclass, field

import numpy as np

from szmass._io.stored import Stored
from szmass._utils.kinds import as_path
from szmass._utils.quantities import as_doubles
from szmass.exceptions import (
    CardMismatchError,
    FileFormatError,
    InvalidInputError,
    MissingDependencyError,
)
from szmass.networks._card_rules import broken_rules, cutout_differences
from szmass.networks._forward import PASSES
from szmass.networks._weights import set_arrays, write_json
from szmass.networks.architectures import ARCHITECTURES

__all__ = ["ErrorTable", "ModelCard", "WeightsFile"]

_FORMAT_VERSION = 1


@dataclass(frozen=True)
class ErrorTable:
    """Errors of log10(mass) as a function of the predicted mass, linear between nodes.

    Parameters
    ----------
    log10_mass : tuple of float
        Predicted log10(mass / Msun), increasing.
    err_minus, err_plus : tuple of float
        Distances [dex] down and up from the predicted mass to the limits of the interval.
    level : float
        Probability in the interval.
    """

    log10_mass: tuple[float, ...]
    err_minus: tuple[float, ...]
    err_plus: tuple[float, ...]
    level: float = 0.68

    def __post_init__(self):
        for name in ("log10_mass", "err_minus", "err_plus"):
            object.__setattr__(self, name, tuple(map(_real, getattr(self, name))))
        if not len(self.log10_mass) == len(self.err_minus) == len(self.err_plus) >= 2:
            raise InvalidInputError(
                "'log10_mass', 'err_minus' and 'err_plus' must be of one length, at least 2."
            )
        if np.any(np.diff(self.log10_mass) <= 0):
            raise InvalidInputError("'log10_mass' of an error table must increase.")
        if not all(0 < error < np.inf for error in self.err_minus + self.err_plus):
            raise InvalidInputError("'err_minus' and 'err_plus' must be positive.")
        if not (all(0 < mass < 20 for mass in self.log10_mass) and 0 < self.level < 1):
            raise InvalidInputError(
                "'log10_mass' of an error table must be between 0 and 20, 'level' between 0 and 1."
            )

    def at(self, log10_mass):
        """Look errors up.

        Parameters
        ----------
        log10_mass : array-like of float
            Predicted log10(mass / Msun).

        Returns
        -------
        err_minus : `~numpy.ndarray`
            Errors downwards [dex]; NaN outside the table.
        err_plus : `~numpy.ndarray`
            Errors upwards [dex]; NaN outside the table.
        """
        return tuple(
            np.interp(log10_mass, self.log10_mass, values, left=np.nan, right=np.nan)
            for values in (self.err_minus, self.err_plus)
        )


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights, known by its content.

    Parameters
    ----------
    file : str
        Its name.
    sha256 : str
        Its SHA-256.
    url : str, optional
        Where it can be fetched.
    """

    file: str
    sha256: str
    url: str | None = None


def _real(value):
    """A number as float; texts and truth values are no numbers."""
    if isinstance(value, bool | str | bytes):
        raise InvalidInputError(f"A number is expected. Received: {value!r}")
    return float(value)


def _pairs(values):
    return tuple(map(_reals, values))


def _reals(values):
    return tuple(map(_real, values))


# How the fields of a card are read that JSON holds otherwise.
_READ = {
    "shape": tuple,
    "pixel_scale_arcmin": _real,
    "rotation_deg": _real,
    "beam_fwhm_arcmin": _real,
    "redshift_bins": _pairs,
    "normalisation": _pairs,
    "h": lambda value: None if value is None else _real(value),
    "log10_mass_range": _reals,
    "error_table": lambda value: ErrorTable(**value) if isinstance(value, dict) else value,
    "weights": lambda values: tuple(
        WeightsFile(**value) if isinstance(value, dict) else value for value in values
    ),
    "references": tuple,
}


def _once(pairs):
    """A JSON object as a dict; a key that stands in it twice is refused."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise FileFormatError(f"{twice!r} stands in it more than once.")
    return found


@dataclass(frozen=True)
class ModelCard(Stored):
    """What a user must know of trained networks, and the software must check.

    It is written as JSON. What is not known is None, never left out.

    Parameters
    ----------
    name : str
        Name of the trained networks.
    architecture : str
        Name in ``szmass.networks.ARCHITECTURES``.
    architecture_options : dict
        Keyword arguments of the function of that name.
    n_parameters : int
        Number of trained numbers in one network.
    shape : tuple of int
        Rows and columns of a cutout.
    pixel_scale_arcmin : float
        Pixel size [arcmin].
    frame : str
        Celestial frame that the rows and columns follow, for instance ``"galactic"``.
    rotation_deg : float
        Position angle of the rows in that frame [deg].
    projection : str
        FITS code of the projection.
    interpolation : str
        How the maps of the training were sampled. Another one is allowed and noted.
    beam_fwhm_arcmin : float
        Full width at half maximum of the beam [arcmin].
    redshift_bins : tuple of (float, float)
        Redshift ranges, lower end excluded, upper end included, in increasing order.
    normalisation : tuple of (float, float)
        Per redshift bin mean and standard deviation of Compton-y: networks see
        (y - mean) / sigma.
    target : str
        Output of the network: ``"log10_mass"``, ``"log10_mass_density"``, ``"amplitude"`` or
        ``"log10_state_density"``.
    mass_definition : str
        Definition of the mass, for instance ``"500c"``.
    h : float or None
        If given, the output is log10(M / (Msun/h)) with this h; if None, log10(M / Msun).
    log10_mass_range : tuple of float
        Range of log10(M / Msun) in the training.
    training : dict
        Simulation, number of maps, loss, seed, versions.
    split : str
        Rule by which training, validation and test sets were separated.
    metrics : dict
        Measured performance and where it was measured.
    error_table : ErrorTable or None
        Errors against predicted mass.
    weights : tuple of WeightsFile
        The files; one per redshift bin for networks of one bin each.
    licence : str
        Terms of the weights.
    references : tuple of str
        ADS bibcodes.
    format_version : int, optional
        Version of this list of fields.

    Raises
    ------
    InvalidInputError
        A value is not what it must be; the message names it.
    """

    name: str
    architecture: str
    architecture_options: dict
    n_parameters: int
    shape: tuple[int, int]
    pixel_scale_arcmin: float
    frame: str
    rotation_deg: float
    projection: str
    interpolation: str
    beam_fwhm_arcmin: float
    redshift_bins: tuple[tuple[float, float], ...]
    normalisation: tuple[tuple[float, float], ...]
    target: str
    mass_definition: str
    h: float | None
    log10_mass_range: tuple[float, float]
    training: dict
    split: str
    metrics: dict
    error_table: ErrorTable | None
    weights: tuple[WeightsFile, ...]
    licence: str
    references: tuple[str, ...]
    format_version: int = field(default=_FORMAT_VERSION)

    def __post_init__(self):
        for name in ("shape", "redshift_bins", "normalisation", "weights", "references"):
            if isinstance(getattr(self, name), str | dict):
                raise InvalidInputError(f"'{name}' of a model card must be a list.")
        for name, read in _READ.items():
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, read(value))
            except (TypeError, ValueError, OverflowError) as err:
                raise InvalidInputError(
                    f"'{name}' of a model card cannot be used ({err}). Received: {value!r:.80}"
                ) from err
        for name, expectation in broken_rules(self):
            raise InvalidInputError(
                f"'{name}' of the model card {self.name!r} must be {expectation}. "
                f"Received: {getattr(self, name)!r}"
            )

    def _facts(self):
        low, high = self.redshift_bins[0][0], self.redshift_bins[-1][1]
        number = len(self.redshift_bins)
        masses = " to ".join(f"{mass:g}" for mass in self.log10_mass_range)
        return {
            "networks": f"{self.architecture}, {self.n_parameters} parameters each",
            "cutouts": f"{self.shape[0]} x {self.shape[1]} pixels of "
            f"{self.pixel_scale_arcmin:g} arcmin, {self.frame}, {self.interpolation}",
            "beam": f"{self.beam_fwhm_arcmin:g} arcmin",
            "redshift": f"{low:g} to {high:g}" + (f" in {number} bins" if number > 1 else ""),
            "gives": f"{self.target}, M{self.mass_definition}, log10 M of {masses}",
            "weights": f"{len(self.weights)} file{'s' if len(self.weights) != 1 else ''}, "
            f"{self.licence}",
        }

    def __repr__(self):
        facts = "; ".join(f"{name} {value}" for name, value in self._facts().items())
        return f"<ModelCard {self.name!r}: {facts}>"

    def _repr_html_(self):
        from szmass._utils import html as _html

        rows = self._facts() | {"references": ", ".join(self.references), **self.metrics}
        return _html.facts(self.name, {name: _html.short(value) for name, value in rows.items()})

    def to_dict(self):
        """Give all fields as plain JSON types.

        Returns
        -------
        dict
            Fields by name; tuples have become lists.
        """
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, values):
        """Build a card from plain JSON types.

        Parameters
        ----------
        values : dict
            Fields by name.

        Returns
        -------
        ModelCard
            The card.

        Raises
        ------
        FileFormatError
            It is of a newer format, or a field is missing, unknown or not what it must be; the
            message names it.
        """
        if not isinstance(values, dict):
            raise FileFormatError(f"A model card must be a JSON object. Received: {values!r:.60}")
        version = values.get("format_version")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise FileFormatError(
                f"The model card has no integer 'format_version'. Received: {version!r}"
            )
        if version > _FORMAT_VERSION:
            raise FileFormatError(
                f"The model card has format {version}; this version of szmass reads formats up to "
                f"{_FORMAT_VERSION}. Update szmass."
            )
        names = [f.name for f in dataclasses.fields(cls)]
        for kind, found in (
            ("lacks", [name for name in names if name not in values]),
            ("has unknown", [name for name in values if name not in names]),
        ):
            if found:
                raise FileFormatError(f"The model card {kind} {', '.join(map(repr, found))}.")
        try:
            return cls(**values)
        except (TypeError, ValueError, OverflowError) as err:
            raise FileFormatError(f"The model card cannot be used: {err}") from err

    @classmethod
    def read(cls, path):
        """Read a card.

        Parameters
        ----------
        path : path-like
            A JSON file.

        Returns
        -------
        ModelCard
            The card, which names at least one file of weights.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        FileFormatError
            The file is no model card, is of a newer format, or lacks a field.
        """
        source = path if hasattr(path, "read_text") else as_path(path)
        try:
            text = source.read_text(encoding="utf-8")
            card = cls.from_dict(json.loads(text, object_pairs_hook=_once))
            if not card.weights:
                raise FileFormatError("'weights' must name at least one file.")
            return card
        except FileNotFoundError:
            raise FileNotFoundError(f"There is no model card {str(path)!r}.") from None
        except (IsADirectoryError, NotADirectoryError):
            raise InvalidInputError(f"{str(path)!r} is no file, and a model card is one.") from None
        except (ValueError, RecursionError) as err:  # not JSON, not UTF-8, or not a card
            raise FileFormatError(f"{str(path)!r} is no usable model card: {err}") from err

    def write(self, path, *, overwrite=False):
        write_json(path, self.to_dict(), overwrite=overwrite)

    @property
    def digest(self):
        """SHA-256 of the card, independent of how its file is laid out."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def software(self):
        """What runs the networks, beside numpy: Keras and its backend, or nothing more."""
        if self.architecture in PASSES:
            return ()
        keras = sys.modules.get("keras")
        return "keras", keras.backend.backend() if keras else "tensorflow"

    def check_architecture(self):
        """Refuse networks of an architecture that is not installed.

        Raises
        ------
        MissingDependencyError
            No package registers it; the message says which one did when they were trained.
        """
        if self.architecture not in ARCHITECTURES:
            source = self.training.get("architecture_source")
            known = f": when they were trained it was {source}" if source else ""
            raise MissingDependencyError(
                f"The networks {self.name!r} are of the architecture {self.architecture!r}, which "
                f"no installed package registers under the entry-point group "
                f"{ARCHITECTURES.group!r}{known}. Install that package."
            )

    def build(self, arrays):
        """Build a network of this card.

        Parameters
        ----------
        arrays : dict of str to `~numpy.ndarray`
            Its weights, named ``layer/weight``.

        Returns
        -------
        keras.Model
            The network.

        Raises
        ------
        FileFormatError
            The weights are not those of the architecture, or it has no such options.
        MissingDependencyError
            Keras or its backend is not installed, or no package registers the architecture.
        """
        self.check_architecture()
        try:
            model = ARCHITECTURES[self.architecture](self.shape, **self.architecture_options)
        except MissingDependencyError:
            raise
        except Exception as err:  # whatever another package or Keras raises
            raise FileFormatError(
                f"The network {self.architecture!r} of the model card {self.name!r} cannot be "
                f"built with the options {self.architecture_options!r}: {err}"
            ) from err
        if model.count_params() != self.n_parameters:
            raise FileFormatError(
                f"The network {self.architecture!r} has {model.count_params()} weights; "
                f"the model card {self.name!r} says {self.n_parameters}."
            )
        set_arrays(model, arrays)
        return model

    def redshift_bin(self, redshift):
        """Find the redshift bin.

        Parameters
        ----------
        redshift : array-like of float
            Redshifts; NaN is in no bin.

        Returns
        -------
        `~numpy.ndarray`
            Index of the bin, -1 where there is none.
        """
        redshift = np.asarray(redshift, dtype=float)
        # Catalogues of single precision hold 0.2 as 0.2000000030: it is in the bin of 0.2.
        single = redshift.astype(np.float32)
        redshift = np.where(single == redshift, as_doubles(single), redshift)
        index = np.full(redshift.shape, -1)
        for i, (low, high) in enumerate(self.redshift_bins):
            index[(redshift > low) & (redshift <= high)] = i
        return index

    def check_cutouts(self, stack):
        """Refuse cutouts that are not what the networks were trained on.

        Parameters
        ----------
        stack : `~szmass.maps.CutoutStack`
            The cutouts.

        Returns
        -------
        tuple of str
            Differences that are allowed, in words: the interpolation.

        Raises
        ------
        CardMismatchError
            Shape, pixel scale, frame, rotation, projection or beam differ; the message names each.
        """
        differences = cutout_differences(self, stack)
        if differences:
            raise CardMismatchError(
                f"The cutouts are not what the networks {self.name!r} were trained on: "
                f"{'; '.join(differences)}. Cut them out of a map with that beam and with that "
                "geometry."
            )
        received = stack.sampling.kind
        if received == self.interpolation:
            return ()
        return (f"interpolation is {received}, in the training it was {self.interpolation}",)
