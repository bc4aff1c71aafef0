"""Recipes: all that a training depends on, in one file."""

import dataclasses
import itertools
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from szmass.exceptions import FileFormatError, InvalidInputError, UnknownNameError

__all__ = ["Recipe"]

_SHIPPED = resources.files("szmass") / "data" / "recipes"


@dataclass(frozen=True, kw_only=True)
class _Data:
    """Mock clusters, as `~szmass.simulations.make_dataset` makes them."""

    clusters: int
    projections: int = 1
    mass: tuple
    redshift: tuple
    model: str = "a10"
    cosmology: str = "PSZ2"
    environment: bool = True


@dataclass(frozen=True, kw_only=True)
class _Observation:
    """What is added in the training: noise and position errors."""

    noise: tuple
    depth: tuple = (1.0, 1.0)
    depth_error: float = 0.0
    centring: float = 0.0


@dataclass(frozen=True, kw_only=True)
class _Density:
    """The training of an ensemble of density networks."""

    members: int = 1
    epochs: int
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    patience: int | None = None
    split: tuple = (0.8, 0.1, 0.1)
    precision: str = "float32"
    domain: int = 12_000


@dataclass(frozen=True, kw_only=True)
class _Selection:
    """The trainings of the published architecture, of which one per redshift bin is selected."""

    models: int = 100
    epochs: int
    batch_size: int = 64
    learning_rate: float = 1e-3
    patience: int | None = None
    split: tuple = (0.8, 0.1, 0.1)
    redshift_bins: tuple = (0.0, 0.1, 0.2, 0.4, 1.0)
    threshold: float = 0.05


_TRAININGS = {"density": _Density, "selection": _Selection}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that a training depends on.

    Parameters
    ----------
    kind : {"density", "selection"}
        "density" trains an ensemble of density networks; "selection" follows the protocol of de
        Andres et al. (2022).
    name : str
        Name of the trained networks.
    seed : int
        Seed of everything that is drawn.
    data : dict
        Mock clusters: ``clusters``, ``projections``, ``mass`` (limits of M500c [Msun]),
        ``redshift`` (edges of bins with equal numbers), ``model``, ``cosmology``, ``environment``.
    observation : dict
        ``noise`` (kinds of `~szmass.maps.NoiseModel.planck` or files), ``depth`` (range of the
        factor of the noise amplitude), ``depth_error``, ``centring`` [arcmin].
    training : dict
        For "density" ``members``, ``epochs``, ``batch_size``, ``learning_rate``, ``weight_decay``,
        ``patience``, ``split``, ``precision``, ``domain`` (mocks that the `DomainScore` is fitted
        to; fewer than 1000 for none); for "selection" ``models``, ``epochs``,
        ``batch_size``, ``learning_rate``, ``patience``, ``split``, ``redshift_bins``,
        ``threshold``.
    architecture : dict, optional
        Options of the network's architecture.
    quick : dict, optional
        What is different for a laptop minute, by dotted name.

    Raises
    ------
    InvalidInputError
        A value is missing, unknown, or makes no sense; the message names it.
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
        if self.kind not in _TRAININGS:
            raise InvalidInputError(
                f"'kind' of a recipe must be one of {', '.join(_TRAININGS)}. "
                f"Received: {self.kind!r}"
            )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InvalidInputError(f"'seed' must be an integer >= 0. Received: {self.seed!r}")
        for section, kind in (
            ("data", _Data),
            ("observation", _Observation),
            ("training", _TRAININGS[self.kind]),
        ):
            object.__setattr__(self, section, _checked(section, kind, getattr(self, section)))

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
            The recipe.

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
                    f"There is no recipe {str(path)!r}. Those that ship are {', '.join(shipped)}; "
                    "or give a TOML file."
                )
            source = _SHIPPED / f"{path}.toml"
        try:
            values = tomllib.loads(source.read_text(encoding="utf-8"))
            return cls.from_dict(values)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, InvalidInputError) as err:
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
            A value is missing, unknown or makes no sense.
        """
        names = {f.name: f for f in dataclasses.fields(cls)}
        if unknown := sorted(values.keys() - names.keys()):
            raise InvalidInputError(
                f"A recipe has no section {unknown[0]!r}; it has {', '.join(names)}."
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
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return _plain(plain)

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
        values = self.to_dict()
        for section, changes in values.pop("quick").items():
            if not isinstance(changes, dict) or not isinstance(values.get(section), dict):
                raise InvalidInputError(
                    "'quick' must hold values by section, such as data.clusters. "
                    f"Received: {section!r}"
                )
            values[section] |= changes
        return Recipe(**values)


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _checked(section, kind, values):
    """Values of a section with the defaults filled in, as a dict."""
    if not isinstance(values, dict):
        raise InvalidInputError(f"'{section}' of a recipe must be a table. Received: {values!r}")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := sorted(values.keys() - fields.keys()):
        raise InvalidInputError(
            f"'{section}' of a recipe has no {unknown[0]!r}; it has {', '.join(fields)}."
        )
    lost = [
        name
        for name, f in fields.items()
        if f.default is dataclasses.MISSING and name not in values
    ]
    if lost:
        raise InvalidInputError(f"'{section}' of the recipe lacks {', '.join(map(repr, lost))}.")
    found = {name: values.get(name, f.default) for name, f in fields.items()}
    for name, value in found.items():
        _check(f"{section}.{name}", value, fields[name])
    return {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}


def _check(name, value, declared):
    """Refuse a value of another type, or out of range."""
    own = name.partition(".")[2]
    if value is None and declared.default is None:
        return
    kind = int if declared.type == (int | None) else declared.type
    rule = _RULES.get(own)
    if kind is tuple:
        fits, expected = isinstance(value, list | tuple) and rule[0](value), rule[1]
    elif kind in (int, float):
        lowest = 0 if own in ("weight_decay", "depth_error", "centring") else 1e-300
        numbers = (int,) if kind is int else (int, float)
        fits = isinstance(value, numbers) and not isinstance(value, bool) and value >= lowest
        expected = "a positive whole number" if kind is int else "a number that is not negative"
    else:
        fits = isinstance(value, kind)
        expected = "true or false" if kind is bool else "a text"
    if not fits:
        raise InvalidInputError(f"'{name}' must be {expected}. Received: {value!r}")


def _increase(values, *, least=1e-300, n=None, strictly=True):
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if not numbers or len(values) < 2 or (n and len(values) != n) or values[0] < least:
        return False
    return all(a < b or (a == b and not strictly) for a, b in itertools.pairwise(values))


#: By name of a list: whether it makes sense, and what is expected.
_RULES = {
    "mass": (lambda v: _increase(v, n=2), "two increasing masses [Msun]"),
    "redshift": (_increase, "increasing redshifts above 0"),
    "redshift_bins": (lambda v: _increase(v, least=0), "increasing redshifts"),
    "depth": (lambda v: _increase(v, n=2, strictly=False), "a lower and an upper factor"),
    "noise": (
        lambda v: len(v) > 0 and all(isinstance(item, str) for item in v),
        "a list of kinds of noise or of files",
    ),
    "split": (
        lambda v: len(v) == 3 and all(f > 0 for f in v) and sum(v) <= 1 + 1e-9,
        "three positive fractions that add up to at most 1",
    ),
}
