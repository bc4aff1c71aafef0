"""The model card: what a network was trained on, what it takes and what it gives."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from szmass._io.files import atomic_path
from szmass.exceptions import CardMismatchError, FileFormatError, InvalidInputError
from szmass.networks._card_rules import broken_rules, cutout_differences
from szmass.networks._error_table import ErrorTable

__all__ = ["ErrorTable", "ModelCard", "WeightsFile"]

_FORMAT_VERSION = 1


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


def _pairs(values):
    return tuple(tuple(map(float, pair)) for pair in values)


@dataclass(frozen=True)
class ModelCard:
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
        Output of the network: ``"log10_mass"`` or ``"log10_mass_density"``.
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
        A value makes no sense; the message names it.
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
        table, weights = self.error_table, self.weights
        for name, value in {
            "shape": tuple(self.shape),
            "pixel_scale_arcmin": float(self.pixel_scale_arcmin),
            "rotation_deg": float(self.rotation_deg),
            "beam_fwhm_arcmin": float(self.beam_fwhm_arcmin),
            "redshift_bins": _pairs(self.redshift_bins),
            "normalisation": _pairs(self.normalisation),
            "h": None if self.h is None else float(self.h),
            "log10_mass_range": tuple(map(float, self.log10_mass_range)),
            "error_table": ErrorTable(**table) if isinstance(table, dict) else table,
            "weights": tuple(WeightsFile(**w) if isinstance(w, dict) else w for w in weights),
            "references": tuple(self.references),
        }.items():
            object.__setattr__(self, name, value)
        for name, expectation in broken_rules(self):
            raise InvalidInputError(
                f"'{name}' of the model card {self.name!r} must be {expectation}. "
                f"Received: {getattr(self, name)!r}"
            )

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
            It is of a newer format, or a field is missing, unknown or makes no sense; the
            message names it.
        """
        if not isinstance(values, dict):
            raise FileFormatError(f"A model card must be a JSON object. Received: {values!r:.60}")
        version = values.get("format_version")
        if not isinstance(version, int):
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
        except (TypeError, ValueError) as err:
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
            The card.

        Raises
        ------
        FileFormatError
            The file is no model card, is of a newer format, or lacks a field.
        """
        source = path if hasattr(path, "read_text") else Path(path)
        try:
            return cls.from_dict(json.loads(source.read_text(encoding="utf-8")))
        except ValueError as err:  # not JSON, not UTF-8, or not a card
            raise FileFormatError(f"{str(path)!r} is no usable model card: {err}") from err

    def write(self, path, *, overwrite=False):
        """Write the card as JSON, completely or not at all.

        Parameters
        ----------
        path : path-like
            The target.
        overwrite : bool, optional
            Replace an existing file.
        """
        with atomic_path(path, overwrite=overwrite) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")

    @property
    def digest(self):
        """SHA-256 of the card, independent of how its file is laid out."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

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
