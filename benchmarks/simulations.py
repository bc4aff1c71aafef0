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
    empty_positions,
    inject,
    iter_simulate,
    simulate,
    twin,
)
from szmass.simulations._fourier import Window

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
FIELD = CutoutGeometry(shape=(48, 48))


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
    """Mock fields beside the real field around Coma, away from clusters."""
    ymap = ComptonMap.read(
        data / "milca_coma" / "map2048_MILCA_Coma_20deg_G.fits", beam=10 * u.arcmin
    )
    known = PSZ2Catalog.read(data / "psz2" / "HFI_PCCS_SZ-union_R2.08.fits").sample().coord
    measured = NoiseModel.from_empty_fields(ymap, exclude=known, radius=45 * u.arcmin)
    model = NoiseModel.planck("total", depth=None)
    print("l, C_l of the field, of the model, relative sampling error")
    bands = measured.meta["bands"]
    edges, errors = np.asarray(bands["edges"]), np.asarray(bands["relative_error"])
    for low, high, error in zip(edges[:-1], edges[1:], errors, strict=True):
        ell = np.sqrt(low * high)
        if ell < 2200:
            real, mock = (m.spectrum(ell).to_value("sr") for m in (measured, model))
            print(f"{ell:7.0f} {real:10.3g} {mock:10.3g} {real / mock:6.2f} +- {error:.2f}")

    exclude = {"exclude": known, "radius": 45 * u.arcmin}
    coord = empty_positions(ymap, 40, **exclude, geometry=FIELD, seed=1)
    real = ymap.cutouts(coord, geometry=FIELD, interpolation="nearest").data
    # The same fields of a mock: noise of this depth, and what the surroundings are.
    n = len(real)
    blank = np.zeros_like(real)
    Environment()._add(blank, FIELD, Window(10.0), 1, [(i, 0) for i in range(n)])
    noise = model.draw(FIELD, n, 1)
    for label, maps in (("real", real), ("noise", noise), ("noise, haloes", noise + blank)):
        print(f"{label:14s}", *(f"{name} {value:.3g}" for name, value in moments(maps).items()))


def moments(maps):
    """Give what describes the distribution of pixels."""
    values = (maps - maps.mean(axis=(1, 2), keepdims=True)).ravel().astype(float)
    sigma = values.std()
    return {
        "rms": sigma,
        "skewness": np.mean((values / sigma) ** 3),
        "kurtosis": np.mean((values / sigma) ** 4) - 3,
        "above 3 sigma": np.mean(values > 3 * sigma),
        "below -3 sigma": np.mean(values < -3 * sigma),
    }


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
