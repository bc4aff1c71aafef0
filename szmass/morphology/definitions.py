"""What is measured inside which apertures, by name."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from szmass._utils.quantities import as_floats
from szmass._utils.registry import Registry
from szmass.exceptions import InvalidInputError

__all__ = ["MORPHOLOGY_PRESETS", "MorphologyDefinition", "get_morphology_preset"]

_TENTHS = tuple(k / 10 for k in range(1, 11))


@dataclass(frozen=True, kw_only=True)
class MorphologyDefinition:
    """Apertures of the parameters of morphology.

    Parameters
    ----------
    name : str
        Name of the definition.
    concentration : (float, float), optional
        Inner and outer radius of the light concentration.
    shift : sequence of float, optional
        Radii, at least two, of the circles whose centroids make the centroid shift.
    power : float, optional
        Radius of the power ratios.
    power_center : {"centroid", "center"}, optional
        Where they are taken: the centroid within that radius, or the centre of the others.
    log_radius : float, optional
        R in P0 = (a0 ln R)^2 as a number. None, the default, leaves the logarithm out, so that
        ratios do not depend on the unit of R: they are (ln R)^2 times those of papers, about 48
        for 1000 kpc.
    aperture : float, optional
        Radius of asymmetry, Zernike polynomials, ellipse, strips and Gaussian fit.
    zernike_order : int, optional
        Highest order n of the Zernike polynomials.
    unit : {"r500", "kpc"}, optional
        Unit of the radii.
    references : tuple of str, optional
        ADS bibcodes.
    note : str, optional
        How sure the numbers are.

    Raises
    ------
    InvalidInputError
        Radii are not positive, do not increase, or an option is not known.
    """

    name: str
    concentration: tuple = (0.15, 1.0)
    shift: tuple = _TENTHS
    power: float = 1.0
    power_center: str = "centroid"
    log_radius: float | None = None
    aperture: float = 1.0
    zernike_order: int = 8
    unit: str = "r500"
    references: tuple = ()
    note: str = ""

    def __post_init__(self):
        for name, number in (("concentration", 2), ("shift", None)):
            radii = as_floats(getattr(self, name), "", name, positive=True, finite=True)
            fits = radii.ndim == 1 and len(radii) >= 2 and number in (None, len(radii))
            if not fits or np.any(np.diff(radii) <= 0):
                raise InvalidInputError(
                    f"'{name}' must be {number or 'at least two'} increasing radii. "
                    f"Received: {getattr(self, name)!r}"
                )
            object.__setattr__(self, name, tuple(map(float, radii)))
        for name in ("power", "aperture"):
            radius = as_floats(getattr(self, name), "", name, positive=True, finite=True)
            object.__setattr__(self, name, float(radius))
        if self.log_radius is not None:
            radius = float(as_floats(self.log_radius, "", "log_radius", positive=True))
            if np.log(radius) == 0:
                raise InvalidInputError("'log_radius' must not be 1, the logarithm of which is 0.")
        for name, known in (
            ("power_center", ("centroid", "center")),
            ("unit", ("r500", "kpc")),
            ("zernike_order", range(1, 13)),
        ):
            if getattr(self, name) not in known:
                raise InvalidInputError(
                    f"'{name}' must be one of {', '.join(map(str, known))}. "
                    f"Received: {getattr(self, name)!r}"
                )

    @property
    def largest(self):
        """Radius of the largest aperture, a float."""
        return max(self.concentration[1], self.shift[-1], self.power, self.aperture)


def _circles_of(inner, outer, steps=10):
    """Circles up to one radius [kpc], and the inner one of the concentration."""
    shift = tuple(outer * k / steps for k in range(1, steps + 1))
    radii = dict.fromkeys(("power", "aperture", "log_radius"), outer)
    return {"concentration": (inner, outer), "shift": shift, "unit": "kpc", **radii}


#: Definitions known by name.
MORPHOLOGY_PRESETS = Registry("morphology preset")

for _preset in (
    MorphologyDefinition(
        name="standard",
        note="What most papers since 2010 use: 0.15 and 1 R500 for c, 0.1 to 1 R500 for w.",
    ),
    MorphologyDefinition(
        name="campitiello2022",
        references=("2022A&A...665A.117C",),
        note=(
            "c, w, P2/P0 and P3/P0 of CHEX-MATE, in R500. The abstract was at hand, the text was "
            "not: the radii are those of 'standard'."
        ),
    ),
    MorphologyDefinition(
        name="yuan2020",
        **_circles_of(100.0, 500.0),
        references=("2020MNRAS.497.5485Y",),
        note=(
            "Circles of 500 kpc for c, w and P3/P0, as the abstract says. The inner 100 kpc of c, "
            "the steps of w and the unit of ln R are the usual ones, not checked."
        ),
    ),
    MorphologyDefinition(
        name="lovoccs",
        **_circles_of(100.0, 500.0, steps=20),
        note=(
            "c and w of X-LoVoCCS, as in its public notebooks (github.com/LoVoCCS), which take the "
            "background from a ring of 800 to 1000 kpc; the other radii follow them."
        ),
    ),
    MorphologyDefinition(
        name="santos2008",
        **_circles_of(40.0, 400.0),
        references=("2008A&A...483...35S",),
        note="The concentration of 40 and 400 kpc is published; the other radii follow it.",
    ),
):
    MORPHOLOGY_PRESETS.add(_preset.name, _preset)


def get_morphology_preset(preset="standard", **changes):
    """Look a definition up, with changes if there are any.

    Parameters
    ----------
    preset : str or MorphologyDefinition, optional
        A name in `MORPHOLOGY_PRESETS`, or a definition.
    **changes : dict
        Arguments of `MorphologyDefinition` that are to be others.

    Returns
    -------
    MorphologyDefinition
        The definition; changed ones are named "modified" unless a name is given.

    Raises
    ------
    UnknownNameError
        There is no such preset.
    InvalidInputError
        It is neither a name nor a definition, or a change is not possible.

    Examples
    --------
    >>> from szmass.morphology import get_morphology_preset
    >>> get_morphology_preset("standard", concentration=(0.1, 0.5)).concentration
    (0.1, 0.5)
    """
    expected = "a name such as 'standard', or a MorphologyDefinition"
    definition = MORPHOLOGY_PRESETS.resolve(preset, MorphologyDefinition, "preset", expected)
    if not changes:
        return definition
    known = {field.name for field in dataclasses.fields(MorphologyDefinition)}
    if unknown := sorted(changes.keys() - known):
        raise InvalidInputError(
            f"A definition has no {', '.join(unknown)}. It has: {', '.join(sorted(known))}."
        )
    return dataclasses.replace(definition, **({"name": "modified", "note": ""} | changes))
