"""Numbers of the simulations beside those published, and their speed.

    python benchmarks/simulations.py DATA [counts] [judge] [variants] [sky] [speed]

DATA is the folder with the published tables, maps and weights (see the development guide). The four
networks of de Andres et al. (2022) were trained on hydrodynamic simulations by others; they judge
the mocks. Nothing here is fitted to what they say.
"""

import sys
import time
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.cosmology import FlatLambdaCDM
from astropy.io import fits
from scipy import ndimage

from szmass.catalogs import PSZ2Catalog
from szmass.maps import ComptonMap, CutoutGeometry
from szmass.maps.noise import NoiseModel
from szmass.networks import load_published
from szmass.simulations import (
    CLUSTER_MODELS,
    ClusterPainter,
    Environment,
    Observation,
    SZSelection,
    draw_clusters,
    draw_flat,
    inject,
    iter_simulate,
    simulate,
    twin,
)
from szmass.simulations.bodies._fourier import Window

BINS = ((0.0, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 1.0))
# Planck 2018 VI, base LCDM from CMB and lensing, without BAO.
PLANCK2018 = FlatLambdaCDM(
    H0=67.36, Om0=0.3153, Ob0=0.0493, Tcmb0=2.7255, meta={"sigma8": 0.8111, "n": 0.9649}
)
# Table 1: mean and standard deviation of (M_CNN - M) / M_CNN, all and for log M_CNN > 14.7.
CLEAN = ("-0.03+-0.14", "-0.01+-0.12", "-0.01+-0.08", "-0.02+-0.08")
NOISY = ("-0.02+-0.21", "+0.01+-0.15", "-0.01+-0.13", "-0.02+-0.15")
REAL = ("+0.029+-0.289", "+0.149+-0.141", "+0.127+-0.133", "+0.142+-0.121")
CLEAN_HEAVY = ("-0.02+-0.13", "-0.02+-0.13", "-0.01+-0.08", "-0.02+-0.08")
NOISY_HEAVY = ("-0.01+-0.16", "+0.01+-0.16", "-0.01+-0.13", "-0.02+-0.15")
PROJECTIONS = 4
COMA = "PSZ2 G057.80+88.00"


def counts(data):
    """Clusters above a signal-to-noise ratio of 6 in the patches of Planck."""
    selection = SZSelection(data / "planck_mmf_noise", q_cut=6)
    for one_minus_b, published in ((0.58, 363), (0.62, 454), (0.70, 679), (0.80, 1045)):
        number = selection.expected_counts(cosmology=PLANCK2018, one_minus_b=one_minus_b)
        print(f"N(q > 6), 1-b = {one_minus_b:.2f}: {number:7.1f}   reference {published}")


def psz2(data):
    """Give the PSZ2 clusters of known mass and redshift."""
    catalogue = PSZ2Catalog.read(data / "psz2" / "HFI_PCCS_SZ-union_R2.08.fits")
    return catalogue.sample(redshift=(0, 1))


def line(label, mass, reference, redshift, published=None, heavy=False):
    """Print mean and standard deviation per bin."""
    difference = (mass - reference) / mass
    chosen = np.log10(mass) > 14.7 if heavy else np.ones(len(mass), dtype=bool)
    texts = []
    for low, high in BINS:
        inside = difference[chosen & (redshift > low) & (redshift <= high)]
        texts.append(f"{inside.mean():+.3f}+-{inside.std():.3f}")
    print(f"{label:44s}" + "  ".join(f"{text:15s}" for text in texts), flush=True)
    if published:
        print(f"{'  published':44s}" + "  ".join(f"{text:15s}" for text in published))


def judge(data):
    """Masses by the published networks on twins of PSZ2."""
    networks = load_published(data / "deepplanck" / "weights")
    sample = twin(psz2(data))
    options = {"cosmology": "PSZ2", "seed": 1, "projections": PROJECTIONS}
    total, instrument = NoiseModel.planck("total"), NoiseModel.planck("instrument")
    smooth = CLUSTER_MODELS["a10"].smooth()

    def weigh(observation, **more):
        mocks = simulate(sample, observation, **(options | more))
        mass = 10 ** networks.log10_mass(mocks.cutouts.data, mocks.redshift)
        return mass, mocks

    for label, observation, more, published in (
        ("clean, spheres without scatter", "clean", {"model": smooth}, None),
        ("clean", "clean", {}, (CLEAN, CLEAN_HEAVY)),
        ("planck-like", "planck-like", {}, (NOISY, NOISY_HEAVY)),
        ("noise of points", Observation(name="x", noise=instrument), {}, (NOISY, NOISY_HEAVY)),
        ("clean, with surroundings", "clean", {"environment": Environment()}, None),
        ("planck-like, with surroundings", "planck-like", {"environment": Environment()}, None),
        ("the same, Poisson", "planck-like", {"environment": Environment(clustered=False)}, None),
    ):
        mass, mocks = weigh(observation, **more)
        truth = mocks.quantity("mass_true").value
        line(f"{label}, against truth", mass, truth, mocks.redshift, published and published[0])
        if published:
            line("  log M_CNN > 14.7", mass, truth, mocks.redshift, published[1], heavy=True)
    for label, observation in (
        ("total noise, nearest pixel, centring", "planck-total"),
        ("total noise, nearest pixel", Observation(name="x", noise=total, sampling="nearest")),
        ("total noise, bilinear", Observation(name="x", noise=total, sampling="bilinear")),
        ("total noise, point samples", Observation(name="x", noise=total)),
    ):
        mass, mocks = weigh(observation)
        line(f"{label}, against MSZ", mass, mocks.quantity("msz").value, mocks.redshift, REAL)
    ymap = ComptonMap.read(
        data / "milca_coma" / "map2048_MILCA_Coma_20deg_G.fits", beam=10 * u.arcmin
    )
    mocks = inject(sample, ymap, exclude=psz2(data).coord, cosmology="PSZ2", seed=1)
    mass = 10 ** networks.log10_mass(mocks.cutouts.data, mocks.redshift)
    line("real sky of Coma, against MSZ", mass, mocks.quantity("msz").value, mocks.redshift, REAL)


def variants(data):
    """The same for the other physics."""
    networks = load_published(data / "deepplanck" / "weights")
    sample = twin(psz2(data))
    for name in CLUSTER_MODELS:
        for observation in ("clean", "planck-like"):
            mocks = simulate(sample, observation, model=name, cosmology="PSZ2", seed=1)
            mass = 10 ** networks.log10_mass(mocks.cutouts.data, mocks.redshift)
            truth = mocks.quantity("mass_true").value
            line(f"{name}, {observation}, against truth", mass, truth, mocks.redshift)


def sky(data):
    """Mock skies beside the real one around Coma, away from clusters and bright radio sources."""
    path = data / "milca_coma" / "map2048_MILCA_Coma_20deg_G.fits"
    ymap = ComptonMap.read(path, beam=10 * u.arcmin)
    entries = PSZ2Catalog.read(data / "psz2" / "HFI_PCCS_SZ-union_R2.08.fits").sample()
    known = entries.coord
    image = fits.getdata(path).astype(float)
    pixel = np.sqrt(ymap.wcs.celestial.proj_plane_pixel_area()).to(u.arcmin)
    places = list(zip(*ymap.wcs.celestial.world_to_pixel(known), strict=True))
    coma = [place for place, name in zip(places, entries.names, strict=True) if name == COMA]
    clusters = around(image.shape, places, 26) | around(image.shape, coma, 70)
    flat = without_large_scales(image, clusters)
    holes = flat < -5 * flat[~clusters].std()
    labels, number = ndimage.label(holes & ~clusters)
    deepest = ndimage.minimum(flat, labels, np.arange(1, number + 1)) / flat[~clusters].std()
    print(f"{number} holes deeper than 5 sigma: {np.sort(deepest).round(1)}")
    places = ndimage.center_of_mass(labels > 0, labels, np.arange(1, number + 1))
    both = clusters | around(image.shape, [(x, y) for y, x in places], 15)
    print("real, clusters out   ", moments(flat[~clusters]))
    print("real, sources out too", moments(without_large_scales(image, both)[~both]))
    mocks = {"noise": [], "noise, haloes": [], "noise, haloes, sources": []}
    model = NoiseModel.planck("total", depth=None)
    whole = CutoutGeometry(shape=image.shape, pixel_scale=pixel)
    rng = np.random.default_rng(1)
    environments = (
        Environment(),
        Environment(radio_density=0.1 / u.deg**2, radio_y=8e-4 * u.arcmin**2),
    )
    skies = [environment.sky(pixel, Window(10.0)) for environment in environments]
    # What PSZ2 would list: about as many peaks as it has entries.
    peaks = (skies[0] == ndimage.maximum_filter(skies[0], 5)) & (skies[0] > 6e-6)
    near = ndimage.distance_transform_edt(~peaks) < 26
    for _ in range(20):
        noise = model.draw(whole, 1, rng)[0].astype(float)
        row, column = rng.integers(0, 2048 - image.shape[0], 2)
        piece = np.s_[row : row + image.shape[0], column : column + image.shape[1]]
        nothing = np.zeros(image.shape, dtype=bool)
        for name, extra, mask in (
            ("noise", 0.0, nothing),
            ("noise, haloes", skies[0][piece], near[piece]),
            ("noise, haloes, sources", skies[1][piece], near[piece]),
        ):
            mocks[name].append(moments(without_large_scales(noise + extra, mask)[~mask]))
    for name, rows in mocks.items():
        print(f"{name}, mean and scatter of {len(rows)} fields")
        print(f"    {np.mean(rows, axis=0)}\n    {np.std(rows, axis=0)}")
    print("l, C_l of the field, of the model, ratio, relative sampling error")
    measured = NoiseModel.from_empty_fields(
        ymap, exclude=known, radius=45 * u.arcmin, mask=both & ~clusters
    )
    bands = measured.meta["bands"]
    edges, errors = np.asarray(bands["edges"]), np.asarray(bands["relative_error"])
    for low, high, error in zip(edges[:-1], edges[1:], errors, strict=True):
        ell = np.sqrt(low * high)
        if ell < 2200:
            real, mock = (m.spectrum(ell).to_value("sr") for m in (measured, model))
            print(f"{ell:7.0f} {real:10.3g} {mock:10.3g} {real / mock:6.2f} +- {error:.2f}")


def around(shape, places, radius):
    """Mask discs of a radius [pixels] around places (x, y)."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, dtype=bool)
    for h, v in places:
        if np.isfinite(h + v):
            mask |= (x - h) ** 2 + (y - v) ** 2 < radius**2
    return mask


def without_large_scales(image, mask):
    """Subtract the mean of 48 x 48 pixels around each, of those that are not masked."""
    total = ndimage.uniform_filter(np.where(mask, 0.0, image), 48)
    share = ndimage.uniform_filter((~mask).astype(float), 48)
    return image - total / np.maximum(share, 1e-9)


def moments(values):
    """Rms [1e-6], skewness, excess kurtosis, shares beyond 3 and -3 standard deviations."""
    sigma = values.std()
    scaled = (values - values.mean()) / sigma
    tails = [np.mean(scaled > 3), np.mean(scaled < -3)]
    return np.round([1e6 * sigma, np.mean(scaled**3), np.mean(scaled**4) - 3, *tails], 4)


def speed(data):
    """Maps per second on this machine, one process."""
    sample = draw_flat(200, seed=1, redshift=psz2(data).redshift)
    clusters = draw_clusters(sample, "a10", cosmology="PSZ2", seed=1)
    painter = ClusterPainter("a10")
    for _ in range(2):
        start = time.perf_counter()
        painter.paint(clusters, projections=27)
        elapsed = time.perf_counter() - start
    print(f"clean maps: {5400 / elapsed:.0f} / s")
    noise = NoiseModel.planck("instrument")
    noise.draw(CutoutGeometry(), 8, 1)
    start = time.perf_counter()
    noise.draw(CutoutGeometry(), 2000, 1)
    print(f"noise: {2000 / (time.perf_counter() - start):.0f} / s")
    for name in ("clean", "planck-like", "planck-total"):
        start = time.perf_counter()
        n = sum(
            len(part)
            for part in iter_simulate(
                sample, name, cosmology="PSZ2", seed=1, projections=9, chunk_size=50
            )
        )
        elapsed = time.perf_counter() - start
        print(f"{name}, from masses to samples: {n / elapsed:.0f} / s")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    parts = {f.__name__: f for f in (counts, judge, variants, sky, speed)}
    for part in sys.argv[2:] or parts:
        parts[part](folder)
