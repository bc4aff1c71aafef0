"""Models of the gas of clusters, by name."""

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from szmass._utils.quantities import as_floats
from szmass._utils.registry import Registry
from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.physics.checks import check_one_minus_b
from szmass.physics.pressure import get_pressure_profile
from szmass.simulations.bodies._triaxial import AXIS_RATIO_MIN
from szmass.simulations.bodies.states import StateModel, get_state_model
from szmass.simulations.field.ingredients import UNRECORDED_DEFAULT

__all__ = ["CLUSTER_MODELS", "ClusterModel", "get_cluster_model"]

#: Models known by name; the entry-point group ``szmass.cluster_models`` adds to them.
CLUSTER_MODELS = Registry("cluster model", "szmass.cluster_models")

# Not in ``references``, which data sets on disk have in their records.
_PROFILE_SCATTER = ("2022arXiv220600091S",)
_STATES = ("2017arXiv170206961R",)
_SHAPE = ("2018ApJ...860L...4S", "2011ApJ...734...93L")
_SIGMA_LNY = ("2016arXiv161205266G",)
_SUBHALOES = ("2010ApJ...719...88T",)

# Parts of a model, and the options that leave each of them out.
_OFF = {
    "scatter": {"sigma_lny": 0.0, "sigma_ln_one_minus_b": 0.0},
    "bias-scatter": {"sigma_ln_one_minus_b": 0.0},
    "states": {"relaxed": 0.0, "disturbed": 0.0, "states": None},
    "profile-scatter": {"profile_scatter": 0.0},
    "triaxiality": {"axis_ratio_b": (1.0, 0.0), "axis_ratio_c": (1.0, 0.0)},
    "subhaloes": {"subhaloes": False},
    "merging": {"merging": 0.0},
    "gas-offset": {"gas_offset": (0.0, 0.0)},
}


def name_without(name, parts):
    """Name of a copy without some parts; without all of them if none is named."""
    return "-no-".join([name, *(parts or ["parts"])])


def switched_off(thing, parts, names, **changes):
    """Copy a dataclass without some of its parts: ``names`` of ``parts``, all if there are none."""
    for name in names or parts:
        if name not in parts:
            raise UnknownNameError(
                f"There is no part {name!r} to leave out. Known: {', '.join(sorted(parts))}."
            )
        changes = parts[name] | changes
    return dataclasses.replace(thing, **changes)


def set_amounts(thing, **units):
    """Check attributes of a frozen dataclass: one number >= 0 each, kept in its unit."""
    for name, unit in units.items():
        value = as_floats(getattr(thing, name), unit, name, finite=True)
        if value.ndim or value < 0:
            raise InvalidInputError(f"'{name}' must be one number >= 0. Received: {value}")
        object.__setattr__(thing, name, float(value) * unit)


@dataclass(frozen=True, kw_only=True)
class ClusterModel:
    """Gas of clusters: mean pressure at given true mass, and how clusters differ from it.

    The pressure is that of ``profile`` for the mass (1-b) M_true, in its amplitude and in its R500,
    and ends at 5 of these R500. Everything that is drawn leaves the median of Y500 at given mass
    where the profile has it: profiles of all shapes have the same Y500, and what subhaloes and
    companions bring on average is taken from the smooth body.

    Parameters
    ----------
    name : str
        Name of the model.
    profile : str or `~szmass.physics.PressureProfile`, optional
        Mean pressure profile, truncated at 5 R500.
    one_minus_b : float, optional
        Ratio of the mass that the profile is scaled by to the true mass, in the median.
    sigma_ln_one_minus_b : float, optional
        Scatter of its logarithm.
    sigma_lny : float, optional
        Scatter of ln Y500 (spherical) of the smooth body at given true mass, including what
        the scatter of 1-b brings.
    relaxed, disturbed : float, optional
        Fractions of clusters with the profile shapes of cool cores and of disturbed clusters;
        the rest has the mean shape.
    profile_scatter : float, optional
        Factor on the published scatter of ln p; 0 for none.
    axis_ratio_b, axis_ratio_c : (float, float), optional
        Mean and standard deviation of b/a and c/a of the gas. (1, 0) for spheres.
    subhaloes : bool, optional
        Whether there are subhaloes (Tinker & Wetzel 2010, above 0.02 of the mass).
    merging : float, optional
        Fraction of clusters with a companion of 0.1 to 0.5 of their mass. All are among
        the disturbed, as far as there are enough of those.
    gas_offset : (float, float), optional
        Standard deviation per axis [R500] of the distance of the gas from the centre of mass, for
        clusters that are not disturbed and for those that are.
    states : str or StateModel, optional
        Distribution of dynamical states, as in `draw_states`. None for substructure and offsets
        that are drawn each by itself.
    references : tuple of str, optional
        Papers to cite.

    Raises
    ------
    InvalidInputError
        A fraction or a scatter is out of range, or there are states without subhaloes.
    UnknownNameError
        There is no such profile, or no such model of states.

    See Also
    --------
    dataclasses.replace : Gives a model with some of these changed.
    off : Gives a model without some parts.

    Notes
    -----
    Scatter of p: 0.6, 0.4, 0.25, 0.2, 0.25, 0.4 in ln at 0.03, 0.1, 0.3, 0.5, 1, 2 R500, correlated
    as exp(-abs(d ln x)), the mix of states included. The fixed Y500 makes core and outskirts
    anti-correlated.

    With ``states`` every cluster has Delta_r, f_s and M500/M200 in its matter: masses of subhaloes
    and companion have one factor, so that f_s of M200c is in them inside R200c, and are turned and
    moved until the centre of mass is Delta_r off the density peak, diffuse matter beside the peak
    giving what they cannot. The most relaxed and most disturbed have the profile shapes of their
    kind, in the same fractions. The gas stands at 0.4 of the way from the peak to the centre of
    mass, on it if both of ``gas_offset`` are 0. What substructure holds is taken from the smooth
    body, so that Y500 at given mass has the scatter ``sigma_lny``.

    References
    ----------
    Arnaud et al. 2010, A&A 517, A92 (shapes by state); Sayers et al. 2023 (scatter); Rossetti et
    al. 2017 (fraction of cool cores); Sereno et al. 2018, Lau et al. 2011 (shape of the gas);
    Gupta et al. 2017 (sigma_lny).
    """

    name: str
    profile: object = "arnaud2010"
    one_minus_b: float = 0.8
    sigma_ln_one_minus_b: float = 0.04
    sigma_lny: float = 0.10
    relaxed: float = 0.30
    disturbed: float = 0.35
    profile_scatter: float = 1.0
    axis_ratio_b: tuple = (0.90, 0.06)
    axis_ratio_c: tuple = (0.80, 0.07)
    subhaloes: bool = True
    merging: float = 0.15
    gas_offset: tuple = (0.02, 0.07)
    states: StateModel | str | None = field(default=None, metadata=UNRECORDED_DEFAULT)
    references: tuple = field(default=(), repr=False)

    def __post_init__(self):
        profile = get_pressure_profile(self.profile)
        if profile.truncation != 5:
            raise InvalidInputError(
                "'profile' must end at 5 R500, as all integrals of szmass do. Received: "
                f"a truncation at {profile.truncation:g}"
            )
        object.__setattr__(self, "profile", profile)
        object.__setattr__(self, "one_minus_b", check_one_minus_b(self.one_minus_b, one=True))
        for name in ("sigma_ln_one_minus_b", "sigma_lny", "profile_scatter"):
            self._check(name, 0 <= getattr(self, name) < np.inf, "at least 0")
        for name in ("relaxed", "disturbed", "merging"):
            self._check(name, 0 <= getattr(self, name) <= 1, "between 0 and 1")
        self._check("relaxed", self.relaxed + self.disturbed <= 1, "at most 1 - disturbed")
        for name in ("axis_ratio_b", "axis_ratio_c", "gas_offset"):
            pair = tuple(float(value) for value in getattr(self, name))
            low = 0.0 if name == "gas_offset" else AXIS_RATIO_MIN
            high = np.inf if name == "gas_offset" else 1.0
            fine = len(pair) == 2 and low <= pair[0] <= high and pair[1] >= 0
            wanted = (
                "two numbers" if name == "gas_offset" else f"a mean in [{low:g}, 1] and a scatter"
            )
            self._check(name, fine, f"{wanted}, none negative")
            object.__setattr__(self, name, pair)
        if self.states is not None:
            object.__setattr__(self, "states", get_state_model(self.states))
            self._check("subhaloes", self.subhaloes, "True with 'states', which live in them")
        bias = self.y_slope * self.sigma_ln_one_minus_b
        self._check(
            "sigma_lny",
            self.sigma_lny >= bias * (1 - 1e-12),
            f"at least {bias:.3g}, which is what the scatter of 1-b alone makes",
        )

    def _check(self, name, fine, expected):
        if not fine:
            raise InvalidInputError(
                f"'{name}' must be {expected}. Received: {getattr(self, name)!r}"
            )

    @property
    def y_slope(self):
        """Slope of ln Y500 with ln M: 5/3, and what the profile adds to it."""
        return 5 / 3 + getattr(self.profile, "alpha_p", 0.0)

    @property
    def profile_papers(self):
        """ADS bibcodes of the papers on the mean profile, its states and its scatter."""
        used = (
            *(_PROFILE_SCATTER if self.profile_scatter > 0 else ()),
            *(_STATES if self.relaxed + self.disturbed > 0 else ()),
        )
        return tuple(dict.fromkeys((*self.references, *self.profile.references, *used)))

    @property
    def papers(self):
        """ADS bibcodes of all papers: ``references``, and those on what clusters differ in."""
        used = (
            *(_SHAPE if self.axis_ratio_c != (1, 0) else ()),
            *(_SIGMA_LNY if self.sigma_lny > 0 else ()),
            *(_SUBHALOES if self.subhaloes else ()),
            *(self.states.references if self.states is not None else ()),
        )
        return tuple(dict.fromkeys((*self.profile_papers, *used)))

    def off(self, *names):
        """Give the model without some of the differences between clusters.

        Parameters
        ----------
        *names : str
            "scatter" (of Y500 and 1-b at given mass), "bias-scatter" (of 1-b alone), "states",
            "profile-scatter", "triaxiality", "subhaloes", "merging" or "gas-offset"; all of them
            by default.

        Returns
        -------
        ClusterModel
            What is left is drawn as before, except that companions no longer prefer disturbed
            clusters without "states".

        Raises
        ------
        InvalidInputError
            "subhaloes" are to be left out, and not the "states" that live in them.
        UnknownNameError
            There is no such part.
        """
        return switched_off(self, _OFF, names, name=name_without(self.name, names))

    def smooth(self):
        """Give the model of spheres without any scatter, substructure or offset.

        Returns
        -------
        ClusterModel
            With the same profile and 1-b.
        """
        return switched_off(self, _OFF, (), name=f"{self.name}-smooth")


for _name, _profile, _one_minus_b in (
    ("a10", "arnaud2010", 0.8),
    ("planck2013", "planck2013", 0.8),
    # These three are fitted to, or corrected to, true masses.
    ("he2021", "he2021", 1.0),
    ("battaglia2012-agn", "battaglia2012-agn", 1.0),
    ("battaglia2012-shock", "battaglia2012-shock", 1.0),
):
    _entry = ClusterModel(
        name=_name,
        profile=_profile,
        one_minus_b=_one_minus_b,
        references=get_pressure_profile(_profile).references,
    )
    CLUSTER_MODELS.add(_name, _entry)

#: With states of The Three Hundred.
_entry = dataclasses.replace(CLUSTER_MODELS["a10"], name="a10-the300", states="the300-gadget-x")
CLUSTER_MODELS.add("a10-the300", _entry)

#: Spheres that differ in Y500 and profile alone, as the exact posterior assumes.
_NOT_SPHERES = ("bias-scatter", "triaxiality", "subhaloes", "merging", "gas-offset")
_entry = CLUSTER_MODELS["a10"].off(*_NOT_SPHERES)
CLUSTER_MODELS.add("a10-spheres", dataclasses.replace(_entry, name="a10-spheres"))


@CLUSTER_MODELS.getter(ClusterModel, "a10")
def get_cluster_model(model):
    """Look a cluster model up by name, or pass one through.

    Examples
    --------
    >>> from szmass.simulations import get_cluster_model
    >>> get_cluster_model("a10").one_minus_b
    0.8
    """
