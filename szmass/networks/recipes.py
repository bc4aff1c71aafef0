"""Recipes: all that a training depends on, in one file."""

import dataclasses
import difflib
import itertools
import json
import math
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from inspect import signature
from pathlib import Path

from szmass._utils.names import did_you_mean
from szmass.exceptions import FileFormatError, InvalidInputError, SzmassError, UnknownNameError
from szmass.maps.noise import NoiseModel
from szmass.networks.architectures import ARCHITECTURES, architecture_options
from szmass.physics.cosmology import COSMOLOGIES
from szmass.simulations import CLUSTER_MODELS, get_environment

__all__ = ["Recipe"]

_SHIPPED = resources.files("szmass") / "data" / "recipes"


def _is_number(value, least=0.0):
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= least
    )


def _all_finite(value):
    """Whether no number in nested lists and tables is NaN or infinite."""
    if isinstance(value, dict | list | tuple):
        return all(map(_all_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


def _is_whole(value, least):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _increase(values, *, least=0.0, n=None, strictly=True):
    if not isinstance(values, list | tuple) or len(values) < 2 or (n and len(values) != n):
        return False
    if not all(_is_number(value, least) for value in values):
        return False
    return all(a < b or (a == b and not strictly) for a, b in itertools.pairwise(values))


_SMALLEST = 1e-300
_REQUIRED = object()

# A rule is what a value must satisfy, and that in words.
_COUNT = (lambda v: _is_whole(v, 1), "a positive whole number")
_COUNT_OR_NONE = (lambda v: v is None or _COUNT[0](v), _COUNT[1])
_NUMBER = (_is_number, "a number that is not negative")
_POSITIVE = (lambda v: _is_number(v, _SMALLEST), "a positive number")
_YES_OR_NO = (lambda v: isinstance(v, bool), "true or false")
_SPLIT = (
    lambda v: (
        isinstance(v, list | tuple)
        and len(v) == 3
        and all(_is_number(f, _SMALLEST) for f in v)
        and sum(v) <= 1 + 1e-9
    ),
    "three positive fractions that add up to at most 1",
)
_NOISE = (
    lambda v: isinstance(v, list | tuple) and v and all(isinstance(item, str) for item in v),
    "a list of kinds of noise or of files",
)


def _one_of(names):
    """Rule of a name in a registry or tuple; registries are read when a recipe is, not before."""
    return (lambda v: isinstance(v, str) and v in names, lambda: f"one of {', '.join(names)}")


#: Keys of the sections: rule and default.
_DATA = {
    "clusters": (_COUNT, _REQUIRED),
    "projections": (_COUNT, 1),
    # What is no mass in Msun, such as a logarithm, is refused.
    "mass": ((lambda v: _increase(v, least=1e9, n=2), "two increasing masses [Msun]"), _REQUIRED),
    "redshift": ((lambda v: _increase(v, least=1e-6), "increasing redshifts above 0"), _REQUIRED),
    "model": (_one_of(CLUSTER_MODELS), "a10"),
    "cosmology": (_one_of(COSMOLOGIES), "PSZ2"),
    "environment": ((lambda v: isinstance(v, bool | dict), "true or false, or a table"), True),
}
_OBSERVATION = {
    "noise": (_NOISE, _REQUIRED),
    "depth": (
        (
            lambda v: _increase(v, least=_SMALLEST, n=2, strictly=False),
            "a lower and an upper factor",
        ),
        (1.0, 1.0),
    ),
    "depth_error": (_NUMBER, 0.0),
    "centring": (_NUMBER, 0.0),
}
# What else networks that give amplitudes see.
_AMPLITUDE_OBSERVATION = {
    "spectra": (_COUNT, 1),
    "lowest": (_NUMBER, 3.0),
    "sigma_lny": (_NUMBER, 0.2),
}
_EITHER_TRAINING = {
    "epochs": (_COUNT, _REQUIRED),
    "learning_rate": (_POSITIVE, 1e-3),
    "patience": (_COUNT_OR_NONE, None),
    "split": (_SPLIT, (0.8, 0.1, 0.1)),
}
_ENSEMBLE = {
    "members": (_COUNT, 1),
    **_EITHER_TRAINING,
    "batch_size": (_COUNT, 256),
    "weight_decay": (_NUMBER, 1e-4),
    "precision": (_one_of(("float32", "mixed_float16", "mixed_bfloat16")), "float32"),
    "domain": ((lambda v: _is_whole(v, 0), "a whole number"), 12_000),
}
_TRAININGS = {
    # Ensembles of density networks, and of networks that give amplitudes.
    "density": _ENSEMBLE,
    "amplitude": _ENSEMBLE,
    # Trainings of the published architecture, of which one per redshift bin is chosen.
    "selection": {
        "models": (_COUNT, 100),
        **_EITHER_TRAINING,
        "batch_size": (_COUNT, 64),
        "redshift_bins": ((_increase, "increasing redshifts"), (0.0, 0.1, 0.2, 0.4, 1.0)),
        "threshold": (_POSITIVE, 0.05),
    },
}
_FILTERS = (
    lambda v: isinstance(v, list | tuple) and v and all(_is_whole(n, 1) for n in v),
    "a list of positive whole numbers",
)
_OWN_OPTIONS = {
    "density_cnn": {"filters": _FILTERS, "components": _COUNT},
    "amplitude_cnn": {"filters": _FILTERS},
}
#: Architecture of each kind, where the recipe names none.
_ARCHITECTURE = {
    "amplitude": "amplitude_cnn",
    "density": "density_cnn",
    "selection": "deandres2022",
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that a training depends on.

    Parameters
    ----------
    kind : {"amplitude", "density", "selection"}
        "amplitude" trains an ensemble of networks that give the amplitude of the signal;
        "density" one of networks that give densities of log M, for any maps of known mass;
        "selection" follows the protocol of de Andres et al. (2022).
    name : str
        Name of the trained networks.
    seed : int
        Seed of everything that is drawn.
    data : dict
        Mock clusters: ``clusters``, ``projections``, ``mass`` (limits of M500c [Msun]),
        ``redshift`` (edges of bins with equal numbers), ``model``, ``cosmology``, ``environment``
        (or a table with options of `~szmass.simulations.Environment`).
    observation : dict
        ``noise`` (kinds of `~szmass.maps.NoiseModel.planck` or files), ``depth`` (range of the
        factor of the noise amplitude), ``depth_error``, ``centring`` [arcmin]: the standard
        deviation per axis, or for "amplitude" the largest one, since it is told. For "amplitude"
        also ``spectra``, the number of noise spectra drawn between and about those of ``noise``,
        these in their number; ``lowest``, the amplitude down to whose negative training goes; and
        ``sigma_lny``, by which signals are scattered beyond the scatter of the simulation.
    training : dict
        For "amplitude" and "density" ``members``, ``epochs``, ``batch_size``, ``learning_rate``,
        ``weight_decay``, ``patience``, ``split``, ``precision``, ``domain`` (mocks that the
        `DomainScore` is fitted to; fewer than 1000 for none); for "selection" ``models``,
        ``epochs``, ``batch_size``, ``learning_rate``, ``patience``, ``split``, ``redshift_bins``,
        ``threshold``.
    architecture : dict, optional
        ``name`` in ``szmass.networks.ARCHITECTURES``, by default "amplitude_cnn" or "density_cnn",
        and options of the function of that name. For "selection" there is nothing to choose.
    quick : dict, optional
        What is different for a laptop minute, by dotted name.

    Raises
    ------
    InvalidInputError
        A value is missing, unknown or out of range, or does not go with another one; the message
        names its key. What needs Keras, files or clusters is looked at by `train`, before it
        makes data.

    Examples
    --------
    >>> from szmass.networks import Recipe
    >>> recipe = Recipe.read("default")
    >>> recipe.kind, recipe.quickly().data["clusters"] < recipe.data["clusters"]
    ('amplitude', True)
    """

    kind: str
    name: str
    seed: int
    data: dict
    observation: dict
    training: dict
    architecture: dict = field(default_factory=dict)
    quick: dict = field(default_factory=dict)

    def __post_init__(self):
        if not isinstance(self.kind, str) or self.kind not in _TRAININGS:
            raise InvalidInputError(
                f"'kind' of a recipe must be one of {', '.join(_TRAININGS)}. "
                f"Received: {self.kind!r}"
            )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InvalidInputError(f"'seed' must be an integer >= 0. Received: {self.seed!r}")
        if not isinstance(self.name, str) or not self.name:
            raise InvalidInputError(f"'name' must be a text. Received: {self.name!r}")
        tells = self.kind == "amplitude"
        for section, keys in (
            ("data", _DATA),
            ("observation", _OBSERVATION | (_AMPLITUDE_OBSERVATION if tells else {})),
            ("training", _TRAININGS[self.kind]),
        ):
            object.__setattr__(self, section, _checked(section, keys, getattr(self, section)))
        architecture = _checked_architecture(self.kind, self.architecture)
        object.__setattr__(self, "architecture", architecture)
        _check_combination(self)
        if self.quick:
            try:
                self.quickly()
            except InvalidInputError as err:
                raise InvalidInputError(f"'quick' of the recipe: {err}") from err

    @classmethod
    def read(cls, path):
        """Read a recipe.

        Parameters
        ----------
        path : path-like
            A TOML file, or the name of a recipe that ships: "default" or "paper".

        Returns
        -------
        Recipe
            The recipe, wholly checked.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        UnknownNameError
            It is no file's name, and no recipe of that name ships; the message lists them.
        FileFormatError
            The file is no TOML, or no recipe; the message names what is wrong.
        """
        source = Path(path)
        if not source.suffix and not source.exists():
            shipped = sorted(Path(item.name).stem for item in _SHIPPED.iterdir())
            if str(path) not in shipped:
                raise UnknownNameError(
                    f"There is no recipe {str(path)!r}.{did_you_mean(path, shipped)} Those that "
                    f"ship are {', '.join(shipped)}; or give a TOML file."
                )
            source = _SHIPPED / f"{path}.toml"
        try:
            values = tomllib.loads(source.read_text(encoding="utf-8"))
            return cls.from_dict(values)
        except (ValueError, RecursionError) as err:  # not TOML, not UTF-8, or not a recipe
            raise FileFormatError(f"{str(path)!r} is no usable recipe: {err}") from err

    @classmethod
    def from_dict(cls, values):
        """Build a recipe from plain values.

        Parameters
        ----------
        values : dict
            Sections by name.

        Returns
        -------
        Recipe
            The recipe.

        Raises
        ------
        InvalidInputError
            A value is missing, unknown or out of range; the message names it.
        """
        names = {f.name: f for f in dataclasses.fields(cls)}
        if unknown := sorted(values.keys() - names.keys()):
            raise InvalidInputError(
                f"A recipe has no section {unknown[0]!r}; it has {', '.join(names)}."
                f"{_hint(unknown[0], names)}"
            )
        optional = ("architecture", "quick")
        if lost := sorted(names.keys() - values.keys() - set(optional)):
            raise InvalidInputError(f"The recipe lacks {', '.join(map(repr, lost))}.")
        return cls(**values)

    def to_dict(self):
        """Give all values as plain JSON types.

        Returns
        -------
        dict
            Sections by name.
        """
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @property
    def network_options(self):
        """Keyword arguments of the architecture: options, for densities ``log10_mass_range``."""
        options = {key: value for key, value in self.architecture.items() if key != "name"}
        if self.kind == "amplitude":
            return options
        return {"log10_mass_range": self.log10_mass_range, **options}

    @property
    def log10_mass_range(self):
        """Ends of the grid of masses, as log10 of M500c [Msun]."""
        return [math.log10(mass) for mass in self.data["mass"]]

    def quickly(self):
        """Give the recipe for a laptop minute.

        Returns
        -------
        Recipe
            With the values of ``quick`` in place of the others.

        Raises
        ------
        InvalidInputError
            It names what the recipe has not.
        """
        if not isinstance(self.quick, dict):
            raise InvalidInputError(f"'quick' must be a table. Received: {self.quick!r}")
        values = self.to_dict()
        for section, changes in values.pop("quick").items():
            if not isinstance(changes, dict) or not isinstance(values.get(section), dict):
                raise InvalidInputError(
                    "'quick' must hold values by section, such as data.clusters. "
                    f"Received: {section!r}.{_hint(section, values)}"
                )
            values[section] |= changes
        return Recipe(**values)


def _hint(name, known):
    """Ask whether a name that is close to an unknown one was meant."""
    close = difflib.get_close_matches(str(name), list(known or ()), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _checked(section, keys, values):
    """Values of a section with the defaults filled in, as a dict."""
    if not isinstance(values, dict):
        raise InvalidInputError(f"'{section}' of a recipe must be a table. Received: {values!r}")
    if unknown := sorted(values.keys() - keys.keys()):
        raise InvalidInputError(
            f"'{section}' of a recipe has no {unknown[0]!r}; it has {', '.join(keys)}."
            f"{_hint(unknown[0], keys)}"
        )
    found = {name: values.get(name, default) for name, (_, default) in keys.items()}
    if lost := [name for name, value in found.items() if value is _REQUIRED]:
        raise InvalidInputError(f"'{section}' of the recipe lacks {', '.join(map(repr, lost))}.")
    for name, value in found.items():
        test, expected = keys[name][0]
        if not test(value):
            expected = expected() if callable(expected) else expected
            raise InvalidInputError(f"'{section}.{name}' must be {expected}. Received: {value!r}")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}


def _checked_architecture(kind, values):
    """Name and options of an architecture that takes such options."""
    if not isinstance(values, dict):
        raise InvalidInputError(f"'architecture' of a recipe must be a table. Received: {values!r}")
    values = {"name": _ARCHITECTURE[kind]} | values
    if kind == "selection":
        if values != {"name": _ARCHITECTURE[kind]}:
            raise InvalidInputError(
                "'architecture' of a recipe of kind 'selection' must be left out: it trains the "
                f"published network. Received: {values!r}"
            )
        return values
    if not _all_finite(list(values.values())):
        raise InvalidInputError(f"'architecture' must hold finite numbers. Received: {values!r}")
    name, known = values["name"], ", ".join(ARCHITECTURES)
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise InvalidInputError(
            f"'architecture.name' must be one of {known}, or be registered by another package "
            f"under the entry-point group {ARCHITECTURES.group!r}. Received: {name!r}."
            f"{_hint(name, ARCHITECTURES)}"
        )
    allowed = architecture_options(name)
    takes = "log10_mass_range" in signature(ARCHITECTURES[name]).parameters
    if allowed is not None and takes != (kind == "density"):
        raise InvalidInputError(
            f"'architecture.name' must be one for recipes of kind {kind!r}, which takes "
            f"{'' if kind == 'density' else 'no '}'log10_mass_range'. Received: {name!r}"
        )
    for option, (test, expected) in _OWN_OPTIONS.get(name, {}).items():
        if option in values and not test(values[option]):
            raise InvalidInputError(
                f"'architecture.{option}' must be {expected}. Received: {values[option]!r}"
            )
    for option in sorted(values.keys() - {"name"}):
        if option == "log10_mass_range" or (allowed is not None and option not in allowed):
            raise InvalidInputError(
                f"'architecture' of a recipe has no {option!r}; {name!r} has "
                f"{', '.join(allowed) or 'no options'}.{_hint(option, allowed)}"
            )
    return values


def _check_combination(recipe):
    """Refuse values that are good each, but not together."""
    bins, redshift = recipe.training.get("redshift_bins"), recipe.data["redshift"]
    if bins and not (bins[0] < redshift[0] < bins[1] and bins[-2] < redshift[-1] <= bins[-1]):
        raise InvalidInputError(
            "'training.redshift_bins' must hold all of 'data.redshift', "
            f"{redshift[0]:g} to {redshift[-1]:g}, and have no bin beyond. Received: {bins!r}"
        )
    kinds = [kind for kind in recipe.observation["noise"] if not Path(kind).suffix]
    for kind in kinds:
        try:
            NoiseModel.planck(kind)
        except UnknownNameError as err:
            raise InvalidInputError(f"'observation.noise': {err}") from err
    try:
        get_environment(recipe.data["environment"], cosmology=recipe.data["cosmology"])
    except (SzmassError, TypeError) as err:
        raise InvalidInputError(f"'data.environment': {err}") from err
