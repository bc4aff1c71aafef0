"""Demonstration on a simulated sky: catalogue, map, cutouts, masses, and how good they are."""

import inspect
import itertools
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import QTable

from szmass._io.files import output_folder
from szmass._utils.optional import import_optional
from szmass._utils.seeds import check_count, generator
from szmass.clusters import ClusterSample
from szmass.comparison.statistics import (
    REDSHIFT_BINS,
    format_difference_table,
    relative_difference_table,
)
from szmass.estimators import ESTIMATORS, MatchedFilterMass, ScalingRelationMass, estimate_masses
from szmass.exceptions import InvalidInputError
from szmass.maps import ComptonMap, DepthMap, NoiseModel
from szmass.physics.halos import theta500
from szmass.physics.scaling import get_scaling_relation, y_to_arcmin2
from szmass.plots import plot_gallery, plot_mass_comparison
from szmass.plots.style import (
    MICRO,
    Y_LABEL,
    draw_bars,
    legend_above,
    new_figure,
    running_quantiles,
)
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

# Fewer clusters have no quantiles worth drawing.
_LEAST = 5
_EDGES = (0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0)
# Points along each side of a cell of the picture of the sky.
_FINE = 4

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
            "sky": _draw_sky(self.ymap, self.sample),
            "cutouts": _draw_cutouts(self.sample),
            "masses": _draw_masses(self.table, self.methods),
            "residuals": _draw_residuals(self.table, self.methods),
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


# Nothing below touches the global state of matplotlib.


def _draw_sky(ymap, sample):
    """Draw a map of the whole sky, in RING ordering, with the places of its clusters."""
    import healpy

    fig = new_figure(None, (9.5, 5.2))
    ax = fig.add_subplot(projection="mollweide")
    # Each cell of the picture is the mean of a few pixels of the map.
    rows, columns = 360, 720
    lon = np.radians(180 - (np.arange(columns * _FINE) + 0.5) * 360 / (columns * _FINE))
    lat = np.radians(-90 + (np.arange(rows * _FINE) + 0.5) * 180 / (rows * _FINE))
    pixels = healpy.ang2pix(ymap.nside, np.pi / 2 - lat[:, np.newaxis], lon)
    image = ymap.values(pixels).reshape(rows, _FINE, columns, _FINE).mean(axis=(1, 3))
    image = image / MICRO
    level = np.std(image)
    # Longitude goes to the left.
    mesh = ax.pcolormesh(
        np.radians(np.linspace(-180, 180, columns + 1)),
        np.radians(np.linspace(-90, 90, rows + 1)),
        image, cmap="Greys", vmin=-4 * level, vmax=8 * level, rasterized=True,
    )  # fmt: skip
    place = sample.coord.transform_to(ymap.frame).spherical
    points = ax.scatter(
        -place.lon.wrap_at("180d").rad, place.lat.rad, c=sample.redshift,
        s=4 + 1.2 * np.minimum(sample.quantity("snr").value, 30),
        cmap="viridis", vmin=0, vmax=0.8, lw=0.3, edgecolor="w",
    )  # fmt: skip
    ax.set_xticks(np.radians([-120, -60, 0, 60, 120]), ["120°", "60°", "0°", "300°", "240°"])
    ax.set_yticks(np.radians([-60, -30, 0, 30, 60]))
    ax.grid(color="0.5", lw=0.4, alpha=0.6)
    ax.tick_params(labelsize=8)
    for label in ax.get_xticklabels():
        label.set_bbox({"facecolor": "w", "alpha": 0.8, "lw": 0, "pad": 1})
    fig.colorbar(points, ax=ax, label="Redshift", shrink=0.75, pad=0.02)
    label = f"{Y_LABEL}, means over 0.5 deg"
    under = {"orientation": "horizontal", "shrink": 0.5, "pad": 0.03, "aspect": 30}
    fig.colorbar(mesh, ax=ax, label=label, **under)
    ax.set_title(f"{len(sample)} clusters, Galactic coordinates; larger points: higher S/N", pad=14)
    return fig


def _draw_cutouts(sample):
    """Draw a few cutouts: for each redshift bin the clearest cluster, and below a typical one."""
    snr, mass = sample.quantity("snr").value, sample.quantity("mass_true").value
    bins = np.digitize(sample.redshift, REDSHIFT_BINS, right=True)
    found = [np.flatnonzero(bins == number) for number in range(1, len(REDSHIFT_BINS))]
    ordered = [inside[np.argsort(snr[inside])] for inside in found if len(inside)]
    rows = [inside[-1] for inside in ordered] + [inside[len(inside) // 2] for inside in ordered]
    titles = [
        f"z = {sample.redshift[row]:.2f}, S/N = {snr[row]:.1f}\n"
        rf"$M_{{500}}$ = {mass[row] / 1e14:.1f} $\times 10^{{14}}\,M_\odot$"
        for row in rows
    ]
    limits = (-5 * MICRO, 60 * MICRO)
    fig = plot_gallery(
        sample.cutouts[np.array(rows)], columns=len(ordered), titles=titles, limits=limits,
        contours=False, cmap="magma",
    )  # fmt: skip
    fig.suptitle("Above the highest S/N of a redshift bin, below the median", fontsize="medium")
    return fig


def _draw_masses(table, methods):
    """Draw the masses of each method against the true ones, in the column mass_true."""
    columns = min(len(methods), 2)
    rows = -(-len(methods) // columns)
    fig = new_figure(None, (5.2 * columns, 4.6 * rows))
    axes = fig.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax in axes[len(methods) :]:
        ax.remove()
    for ax, method in zip(axes, methods, strict=False):
        plot_mass_comparison(table, "mass_true", method, ax=ax, density=False, median=True)
    known = [masses_of(table, method).mass / 1e14 for method in methods]
    axes[0].set_ylim(0.9 * np.nanmin(known), 1.1 * np.nanmax(known))
    return fig


def _draw_residuals(table, methods):
    """Draw the relative differences to the true masses by redshift."""
    fig = new_figure(None, (7.2, 4.4))
    ax = fig.add_subplot()
    redshift = np.asarray(table["redshift"], dtype=float)
    truth = masses_of(table, "mass_true").mass
    for i, method in enumerate(methods):
        difference = masses_of(table, method).mass / truth - 1
        drawn = []
        for low, high in itertools.pairwise(_EDGES):
            inside = (redshift > low) & (redshift <= high) & np.isfinite(difference)
            if np.count_nonzero(inside) >= _LEAST:
                centre, levels = running_quantiles(redshift[inside], difference[inside], 1)
                drawn.append((*centre, *levels[:, 0]))
        if drawn:
            centre, low, middle, high = np.transpose(drawn)
            # Bars of several methods would hide each other.
            shifted = centre + 0.008 * (i - (len(methods) - 1) / 2)
            draw_bars(ax, shifted, middle, [middle - low, high - middle], i, label=method)
    ax.axhline(0, color="k", lw=1)
    for edge in REDSHIFT_BINS[1:-1]:
        ax.axvline(edge, color="0.75", lw=0.8, ls=":")
    ax.set(
        xlabel="Redshift",
        ylabel=r"$M\,/\,M_\mathrm{true} - 1$ (median, 16 and 84 %)",
        xlim=(0, 0.85 if redshift.max() < 0.8 else 1.0),
    )
    if ax.get_legend_handles_labels()[0]:
        legend_above(ax, ncols=4)
    return fig
