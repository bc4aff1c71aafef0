"""Demonstration on a simulated sky: catalogue, map, cutouts, masses, and how good they are."""

import inspect
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass._io.files import output_folder
from szmass._utils.optional import import_optional
from szmass._utils.seeds import check_count, generator
from szmass.clusters import ClusterSample
from szmass.comparison.statistics import format_difference_table, relative_difference_table
from szmass.demo._figures import draw_cutouts, draw_masses, draw_residuals, draw_sky
from szmass.estimators import ESTIMATORS, MatchedFilterMass, ScalingRelationMass, estimate_masses
from szmass.exceptions import InvalidInputError
from szmass.maps import ComptonMap, DepthMap, NoiseModel
from szmass.physics.halos import theta500
from szmass.physics.scaling import get_scaling_relation, y_to_arcmin2
from szmass.results import masses_of, methods_of
from szmass.simulations import (
    draw_clusters,
    draw_mass_function,
    get_cluster_model,
    simulate_sky,
    write_sky,
)

__all__ = ["Demo", "make_demo", "run_demo"]

_MODEL, _COSMOLOGY = "a10", "PSZ2"
_MASS, _REDSHIFT = (1.5e14, 5e15) * u.solMass, (0.01, 1.0)

# Lowest signal-to-noise ratio of the catalogue, that of PSZ2; clusters that should have less than
# _PAINTED would hardly ever come out above it, nor those whose mean Y has less than _EXPECTED.
_DETECTED, _PAINTED, _EXPECTED = 4.5, 2.5, 1.5

# Coarser pixels do not resolve the beam.
_NSIDE_MIN = 512
_DEPTH_NSIDE = 64

# Sizes that filters are known for.
_SIZES = (0.5, 200.0) * u.arcmin

# Truth that goes into the catalogue.
_TRUTH = ("one_minus_b", "theta500_true", "y500_true", "y5r500_true", "state", "depth")


@dataclass(frozen=True)
class Demo:
    """A simulated survey and the masses of its clusters.

    Parameters
    ----------
    ymap : `~szmass.maps.ComptonMap`
        The sky.
    sample : `~szmass.clusters.ClusterSample`
        The detected clusters with cutouts; measured are ``snr``, ``y500`` and ``y500_err``, true
        ``mass_true`` and what else ends in "_true".
    table : `~astropy.table.QTable`
        Their masses from `~szmass.estimators.estimate_masses`, with ``mass_true``.
    """

    ymap: ComptonMap
    sample: ClusterSample
    table: QTable

    @property
    def methods(self):
        """Names of the estimators."""
        return list(methods_of(self.table))

    def differences(self, method):
        """Compare the masses of a method with the truth.

        Parameters
        ----------
        method : str
            One of ``methods``.

        Returns
        -------
        `~astropy.table.QTable`
            From `~szmass.comparison.relative_difference_table`: (M - M_true) / M by redshift.
        """
        mass = masses_of(self.table, method).mass * u.solMass
        return relative_difference_table(mass, self.table["mass_true"], self.table["redshift"])

    def summary(self):
        """Say how good the masses are.

        Returns
        -------
        str
            A table of mean and standard deviation for each method.
        """
        lines = [f"(M - M_true) / M of {len(self.table)} clusters, mean +- standard deviation"]
        for method in self.methods:
            weighed = np.isfinite(masses_of(self.table, method).mass).sum()
            lines += ["", f"{method}: {weighed} weighed"]
            lines.append(format_difference_table(self.differences(method)))
        return "\n".join(lines)

    def figures(self):
        """Draw the pictures.

        Returns
        -------
        dict of str to `~matplotlib.figure.Figure`
            "sky", "cutouts", "masses" and "residuals".

        Raises
        ------
        MissingDependencyError
            Matplotlib is not installed.
        """
        _require_matplotlib()
        return {
            "sky": draw_sky(self.ymap, self.sample),
            "cutouts": draw_cutouts(self.sample),
            "masses": draw_masses(self.table, self.methods),
            "residuals": draw_residuals(self.table, self.methods),
        }


def make_demo(*, nside=2048, clusters=1094, seed=1):
    """Simulate a survey like Planck's and weigh what it finds.

    Clusters are drawn from the mass function, given gas by the model "a10" (1-b = 0.8), and painted
    on a sky with the total noise of the Planck y-maps and its depth. Those that a matched filter of
    their true size finds with S/N > 4.5 are the sample. The Y500 of that filter goes into the
    scaling relation; the other estimators see the cutouts. What they have to know, noise
    and 1-b, they are told.

    Parameters
    ----------
    nside : int, optional
        Resolution of the map, a power of two of at least 512.
    clusters : int, optional
        At most so many of the detected clusters, chosen at random; 1094 as in PSZ2 with redshifts.
    seed : int, optional
        Seed of everything.

    Returns
    -------
    Demo
        The sky, the clusters and their masses.

    Raises
    ------
    InvalidInputError
        An argument is out of range.
    """
    clusters = check_count(clusters, "clusters")
    if check_count(nside, "nside") < _NSIDE_MIN:
        raise InvalidInputError(
            f"'nside' must be at least {_NSIDE_MIN}: coarser pixels do not resolve the beam of "
            f"10 arcmin. Received: {nside}"
        )
    noise = _noise(seed)
    population = _draw_detectable(noise, seed)
    ymap, mocks = simulate_sky(
        population, nside=nside, model=_MODEL, noise=noise, cosmology=_COSMOLOGY, seed=seed
    )
    mocks.attach_cutouts(ymap, interpolation="nearest")
    pixel = np.sqrt(4 * np.pi / (12 * nside**2)) * u.rad
    known = {
        "noise": noise,
        "map_pixel": pixel.to(u.arcmin),
        "one_minus_b": get_cluster_model(_MODEL).one_minus_b,
        "cosmology": _COSMOLOGY,
    }
    matched = MatchedFilterMass(**known)
    measured = matched.measure(mocks, np.clip(mocks.quantity("theta500_true"), *_SIZES))
    for name in ("snr", "y500", "y500_err"):
        mocks.table[name] = measured[name]
    found = np.flatnonzero(mocks.quantity("snr").value > _DETECTED)
    order = generator(seed, "selection").permutation(len(found))
    sample = mocks[np.sort(found[order[:clusters]])]
    keep = ["name", "coord", "redshift", "snr", "y500", "y500_err", "mass_true", *_TRUTH]
    sample.table.keep_columns(keep)
    sample.table.meta.update(nside=int(nside), painted=len(mocks), detected=len(found))
    table = estimate_masses(sample, _estimators(sample, known), columns=("mass_true",))
    return Demo(ymap, sample, table)


def _noise(seed):
    """Planck's total noise with a depth that is known at each position."""
    plain = NoiseModel.planck("total")
    depth = plain.depth.on_sky(_DEPTH_NSIDE, generator(seed, "observation"))
    return NoiseModel.planck("total", depth=DepthMap(depth))


def _draw_detectable(noise, seed):
    """Clusters of the whole sky that have a chance to be detected."""
    population = draw_mass_function(mass=_MASS, redshift=_REDSHIFT, cosmology=_COSMOLOGY, seed=seed)
    sizes = np.geomspace(*_SIZES.value, 100) * u.arcmin
    sigma = np.log(noise.sigma_y500(sizes).to_value(u.arcmin**2))
    depth = noise.depth.at(population.coord)

    def expected(y500, theta):
        log_theta = np.log(theta.to_value(u.arcmin))
        level = np.exp(np.interp(log_theta, np.log(sizes.value), sigma))
        return y500.to_value(u.arcmin**2) / level / depth

    mass, redshift = population.quantity("mass_true"), population.redshift
    one_minus_b = get_cluster_model(_MODEL).one_minus_b
    mean = get_scaling_relation("planck2015").y500(
        mass, redshift, one_minus_b=one_minus_b, cosmology=_COSMOLOGY
    )
    mean = y_to_arcmin2(mean, redshift, cosmology=_COSMOLOGY)
    size = theta500(one_minus_b * mass, redshift, cosmology=_COSMOLOGY)
    near = expected(mean, size) > _EXPECTED
    population, depth = population[near], depth[near]
    drawn = draw_clusters(population, _MODEL, cosmology=_COSMOLOGY, seed=seed)
    return population[expected(drawn["y500_true"], drawn["theta500_true"]) > _PAINTED]


def _estimators(sample, known):
    """Our estimators of maps and Y that are installed, told what is known of the sky."""
    chosen = {
        "scaling": ScalingRelationMass(**_known_options(ScalingRelationMass, known), y="y500")
    }
    for tag, cls in ESTIMATORS.items():
        columns = cls.requires - {"redshift", "cutout", "complete_cutout", "name"}
        if (
            cls.__module__.startswith("szmass.")
            and cls.requires & {"cutout", "complete_cutout"}
            and not cls.downloads
            and columns <= set(sample.table.colnames)
        ):
            chosen[tag] = cls(**_known_options(cls, known))
    return chosen


def _known_options(cls, known):
    options = inspect.signature(cls).parameters
    return {name: value for name, value in known.items() if name in options}


def _require_matplotlib():
    return import_optional("matplotlib", extra="plot", purpose="draw the pictures of the demo")


def run_demo(folder="demo", *, nside=2048, clusters=1094, seed=1, overwrite=False):
    """Make the demonstration and write it into a folder: tables, map and pictures.

    Parameters
    ----------
    folder : path-like, optional
        Where to. It appears when all is done; nothing half-written is left.
    nside : int, optional
        As in `make_demo`.
    clusters : int, optional
        As in `make_demo`.
    seed : int, optional
        As in `make_demo`.
    overwrite : bool, optional
        Replace files of these names in a folder that has something in it; others stay.

    Returns
    -------
    Demo
        What was written.

    Raises
    ------
    InvalidInputError
        The folder has something in it, is a file, or cannot be made in a folder that does not
        exist; or an argument is out of range.
    MissingDependencyError
        Matplotlib is not installed.
    """
    _require_matplotlib()
    with output_folder(folder, overwrite=overwrite) as temporary:
        demo = make_demo(nside=nside, clusters=clusters, seed=seed)
        demo.sample.write(temporary / "catalog.ecsv")
        write_sky(demo.ymap, temporary / "compton_y.fits")
        demo.table.write(temporary / "masses.ecsv")
        (temporary / "summary.txt").write_text(demo.summary() + "\n")
        for name, figure in demo.figures().items():
            figure.savefig(temporary / f"{name}.png", dpi=120)
    return demo
