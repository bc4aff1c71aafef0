"""Mass maps against the mass of simulated clusters: bias, scatter, errors, speed, and Coma.

    python benchmarks/massmaps.py [clean] [noisy] [planck] [peaks] [stack] [speed] [coma DATA]

Clusters of "a10-the300" that no shape or network was made from. "clean" is the setting of de
Andres et al. (2024): y, X-rays and galaxies without noise behind 0.06 R500. "noisy" has y behind
1.6 arcmin with 1e-5 in a beam, 10 ks of 1000 cm2 in X-rays, and galaxies before 1 per arcmin2.
Masses come with a scatter of 0.05 dex ("planck": 0.08), which the posterior knows.
Errors are standard errors of the mean of clusters.
"""

import itertools
import sys
import time
from pathlib import Path

import astropy.units as u
import numpy as np
from train_massmaps import BACKGROUND, COSMOLOGY, EACH, LIMITS, MODEL, clusters, map_noise

from szmass.maps import CutoutGeometry, NoiseModel
from szmass.massmaps import MAP_NETWORKS, NFWMaps, UNetMaps
from szmass.physics.cosmology import angular_diameter_distance
from szmass.results import LogMassPosterior
from szmass.simulations import Observation, draw_clusters, draw_flat, simulate

GRID = np.linspace(13.3, 16.1, 561)
NUMBER, ACROSS, ERROR = 512, 72, 0.05
EDGES = np.array([0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.25, 1.5])


def scene(kind, sample, theta, seed):
    """Mocks of clusters of about one size, with the noise of y or "none"; the mass among fields."""
    size = theta.max()
    grid = CutoutGeometry((ACROSS, ACROSS), 3.8 * size / ACROSS * u.arcmin)
    sharp = Observation(name="sharp", beam=0.06 * size * u.arcmin, geometry=grid)
    fields = {"mass": {}, "xray": {}, "galaxies": {}}
    noise = None
    if kind == "noisy":
        fields["xray"] = {"exposure": 10 * u.ks, "background": BACKGROUND}
        fields["galaxies"] = {"background": 1 / u.arcmin**2}
        beam = 1.6 * u.arcmin
        noise = map_noise(1e-5, beam, 2000)
    options = {"model": MODEL, "cosmology": COSMOLOGY, "seed": seed}
    if kind == "planck":
        seen = Observation(name="planck", noise=NoiseModel.planck())
        mocks = simulate(sample, seen, **options)
        mocks.fields = {}
        return mocks, simulate(sample, sharp, fields={"mass": {}}, **options).fields["mass"], None
    mocks = simulate(sample, sharp, fields=fields, **options)
    true = mocks.fields["mass"]
    if noise is not None:
        seen = Observation(name="y", beam=beam, geometry=grid, noise=noise)
        with_noise = simulate(sample, seen, **options)
        with_noise.fields = mocks.fields
        mocks = with_noise
    mocks.fields = {name: mocks.fields[name] for name in ("xray", "galaxies")}
    return mocks, true, "none" if noise is None else None


def posterior_of(sample, seed, error=ERROR):
    """Masses with a scatter, and the posterior that knows it."""
    rng = np.random.default_rng([seed, 9])
    log_mass = np.log10(sample.table["mass_true"].to_value("solMass"))
    middle = log_mass + error * rng.standard_normal(len(sample))
    density = np.exp(-0.5 * ((GRID - middle[:, np.newaxis]) / error) ** 2)
    meta = {"mass_scale": 0.8}
    return LogMassPosterior(GRID, density, np.ones(len(GRID)), names=sample.names, meta=meta)


def measure(maps, true, mocks, posterior):
    """Numbers of each cluster: of the map, and of what it should be."""
    rows = []
    side = true.geometry.pixel_scale.to_value("arcmin")
    place = (np.arange(ACROSS) - (ACROSS - 1) / 2) * side
    far = np.hypot(place[:, np.newaxis], place)
    mass = mocks.table["mass_true"].to_value("solMass")
    length = side / 60 * np.pi / 180 * angular_diameter_distance(mocks.redshift, COSMOLOGY)
    mean = 10**posterior.log10_mass
    expected = np.trapezoid(posterior.density * mean, posterior.log10_mass, axis=1)
    for i, one in enumerate(maps):
        r = far / one.r500.to_value("arcmin")
        inside, disc = (r > 0.1) & (r < 1.5), r < 1
        here = true.data[i].astype(float)
        log = np.log(one.data[inside] / here[inside])
        variance = np.log1p((one.std / one.data)[inside] ** 2)
        pull = (-log + variance / 2) / np.sqrt(variance)
        rings = [(r > a) & (r < b) for a, b in itertools.pairwise(EDGES)]
        m, error = one.mass_within(one.r500)
        area = length[i] ** 2
        cylinder = here[disc].sum() * area
        rows.append(
            {
                "mass": np.log(m.value / cylinder),
                "pull": (m.value - cylinder) / error.value,
                "found": m.value / mass[i],
                "expected": expected[i] / mass[i] * cylinder / mass[i],
                "rms": np.sqrt(np.mean(log**2)),
                "rms_linear": np.sqrt(np.mean((one.data - here)[inside] ** 2))
                / here[inside].mean(),
                "profile": [np.log(one.data[g].mean() / here[g].mean()) for g in rings],
                "inside68": np.mean(np.abs(pull) < 1),
                "inside95": np.mean(np.abs(pull) < 1.96),
                "r": correlation(one.data, here, side / one.r500.to_value("arcmin")),
                "relaxed": bool(mocks.table["relaxed"][i]),
                "flag": one.flag,
            }
        )
    return rows


def correlation(found, true, pixel):
    """Correlation coefficient of two maps at k R500 = 1, 3 and 10, in an apodised box."""
    n = len(found)
    place = (np.arange(n) - (n - 1) / 2) * pixel
    window = np.clip((1.6 - np.hypot(place[:, np.newaxis], place)) / 0.4, 0, 1)
    window = window**2 * (3 - 2 * window)
    pads = 2 * n  # k R500 = 1 is longer than the box
    fields = [np.fft.rfft2(window * m / (window * m).sum(), (pads, pads)) for m in (found, true)]
    k = (
        2
        * np.pi
        * np.hypot(np.fft.fftfreq(pads, pixel)[:, np.newaxis], np.fft.rfftfreq(pads, pixel))
    )
    result = []
    for at in (1.0, 3.0, 10.0):
        near = (k > at / 1.4) & (k < at * 1.4)
        cross = (fields[0] * fields[1].conj())[near].real.sum()
        result.append(cross / np.sqrt(np.prod([(np.abs(f[near]) ** 2).sum() for f in fields])))
    return result


def estimators_of(kind, posterior, noise, geometry):
    """Estimators by what they are called."""
    options = {"mass": posterior, "geometry": geometry}
    found = {"nfw": NFWMaps(**options)}
    name = "planck" if kind == "planck" else "resolved"
    if name in MAP_NETWORKS:
        more = options | {"network": name, "noise": noise}
        found["unet"] = UNetMaps(**more)
        found["unet, own mass"] = UNetMaps(normalisation="network", **more)
        if kind != "planck":
            found["unet, y alone"] = UNetMaps(bands=["y"], **more)
    return found


def run(kind, number=NUMBER, seed=900):
    """Measure all that is asked of one setting."""
    sample, theta = clusters("planck" if kind == "planck" else "resolved", number, seed)
    rows = {}
    for k, first in enumerate(range(0, len(sample), 32)):
        part = slice(first, first + 32)
        mocks, true, noise = scene(kind, sample[part], theta[part], 1000 * seed + k)
        posterior = posterior_of(mocks, seed + k, 0.08 if kind == "planck" else ERROR)
        for name, estimator in estimators_of(kind, posterior, noise, true.geometry).items():
            rows.setdefault(name, []).extend(
                measure(estimator.predict(mocks), true, mocks, posterior)
            )
    print(f"--- {kind}: {number} clusters of {MODEL}, limits {LIMITS['resolved']}")
    base = rows["nfw"]
    for name, of in rows.items():
        tell(name, of, base)


def tell(name, rows, base):
    """Print the means of what was measured."""
    n = len(rows)
    value = {key: np.array([row[key] for row in rows], float) for key in rows[0]}
    root = np.sqrt(n)

    def both(x):
        return f"{np.mean(x):+.4f} +- {np.std(x) / root:.4f}"

    mass, profile = value["mass"], value["profile"]
    print(f"{name}:")
    print(f"  ln M_cyl(R500) over truth {both(mass)}, scatter {np.std(mass):.4f} +- "
          f"{np.std(mass) / np.sqrt(2 * n):.4f}; pull {both(value['pull'])}, std "
          f"{np.std(value['pull']):.3f}")  # fmt: skip
    ratio = value["found"].mean() / value["expected"].mean()
    error = np.std(value["found"] - ratio * value["expected"]) / value["expected"].mean() / root
    print(f"  over the posterior through the host's own ratio {ratio:.4f} +- {error:.4f}")
    middle = 0.5 * (EDGES[1:] + EDGES[:-1])
    print(f"  profile at {middle}: mean {profile.mean(axis=0).round(3)}, scatter "
          f"{profile.std(axis=0).round(3)}")  # fmt: skip
    print(f"  rms ln {both(value['rms'])}, linear {both(value['rms_linear'])}")
    print(f"  inside 68 % {both(value['inside68'])}, 95 % {both(value['inside95'])}")
    print(f"  correlation at k R500 = 1, 3, 10: {value['r'].mean(axis=0).round(4)} +- "
          f"{(value['r'].std(axis=0) / root).round(4)}")  # fmt: skip
    relaxed = value["relaxed"] > 0
    for what in ("rms", "rms_linear"):
        own, other = value[what], np.array([row[what] for row in base])
        for label, rows_of in (("all", relaxed | ~relaxed), ("relaxed", relaxed),
                               ("not relaxed", ~relaxed)):  # fmt: skip
            a, b = own[rows_of], other[rows_of]
            ratio = a.mean() / b.mean()
            error = np.std(a - ratio * b) / b.mean() / np.sqrt(len(a))
            print(f"  {what} over that of nfw, {label} ({len(a)}): {ratio:.3f} +- {error:.3f}")


def peaks_of(image, r, contrast):
    """Places of peaks beside the middle: above the median of their ring by a factor."""
    from scipy import ndimage

    ring = np.rint(r / 0.1).astype(int)
    median = ndimage.median(image, ring, np.arange(ring.max() + 1))[ring]
    smooth = ndimage.gaussian_filter(image / median, 1.5)
    top = ndimage.maximum_filter(smooth, 7) == smooth
    return np.argwhere(top & (smooth > contrast) & (r > 0.35) & (r < 1.4))


def peaks(number=60, seed=901):
    """Tell how many second peaks of heavy companions are found, and how many that are none."""
    sample = draw_flat(20000, mass=(2e14, 1.5e15) * u.solMass, redshift=(0.08, 0.4), seed=seed)
    drawn = draw_clusters(sample, MODEL_OBJECT, cosmology=COSMOLOGY, seed=seed)
    ratio = np.nan_to_num(np.asarray(drawn["companion_ratio"], float))
    heavy = np.flatnonzero(ratio >= 0.3)[:number]
    plain = np.flatnonzero(np.asarray(drawn["relaxed"]))[:number]
    for kind in ("clean", "noisy"):
        for contrast in (1.4, 1.6, 2.0):
            print(f"--- peaks, {kind}, {contrast} times the median of the ring")
            for label, rows in (("companions", heavy), ("relaxed", plain)):
                count_peaks(kind, label, sample[rows], seed, contrast)


_SCENES = {}


def count_peaks(kind, label, sample, seed, contrast):
    """Print how many peaks of the truth are found within 0.25 R500, and how many others."""
    from train_massmaps import theta_arcmin

    if (kind, label) not in _SCENES:
        theta = theta_arcmin(
            sample.table["mass_true"].to_value("solMass"), sample.redshift, COSMOLOGY
        )
        order = np.argsort(theta)
        found = []
        for first in range(0, len(order), 20):
            rows = order[first : first + 20]
            mocks, true, noise = scene(kind, sample[rows], theta[rows], seed)
            posterior = posterior_of(mocks, seed)
            named = estimators_of(kind, posterior, noise, true.geometry)
            maps = {name: named[name].predict(mocks) for name in ("nfw", "unet") if name in named}
            found.append((true, maps))
        _SCENES[kind, label] = found
    for name in _SCENES[kind, label][0][1]:
        there = seen = false = n = 0
        for true, maps in _SCENES[kind, label]:
            side = true.geometry.pixel_scale.to_value("arcmin")
            place = (np.arange(ACROSS) - (ACROSS - 1) / 2) * side
            for i, size in enumerate(maps[name].r500):
                n += 1
                r = np.hypot(place[:, np.newaxis], place) / size
                truth = peaks_of(true.data[i].astype(float), r, contrast)
                mine = peaks_of(maps[name].data[i].astype(float), r, contrast)
                apart = np.linalg.norm(truth[:, np.newaxis] - mine, axis=2) * side / size
                there += len(truth)
                seen += int((apart < 0.25).any(axis=1).sum()) if len(mine) else 0
                near = (apart < 0.25).any(axis=0) if len(truth) else np.zeros(len(mine), bool)
                false += int((~near).sum())
        print(
            f"  {label}, {name}: {seen} of {there} peaks found, {false} that are none in {n} maps"
        )


def stack(number=50, seed=902):
    """Compare the mean profile of the maps of 50 clusters as lensing has them with its input."""
    sample = draw_flat(number, mass=(4e14, 1.5e15) * u.solMass, redshift=(0.15, 0.3), seed=seed)
    theta = np.full(number, 9.0)
    edges = np.array([0.2, 0.4, 0.7, 1.0, 1.4, 2.0])
    for kind in ("noisy", "clean"):
        mocks, true, noise = scene(kind, sample, theta, seed)
        posterior = posterior_of(mocks, seed)
        side = true.geometry.pixel_scale.to_value("arcmin")
        place = (np.arange(ACROSS) - (ACROSS - 1) / 2) * side
        far = np.hypot(place[:, np.newaxis], place)
        length = angular_diameter_distance(mocks.redshift, COSMOLOGY) / 60 * np.pi / 180
        for name, estimator in estimators_of(kind, posterior, noise, true.geometry).items():
            maps = estimator.predict(mocks)
            found, truth, error = [], [], []
            for i, one in enumerate(maps):
                r = far * length[i]
                rings = [(r > a) & (r < b) for a, b in itertools.pairwise(edges)]
                found.append([one.data[g].mean() for g in rings])
                truth.append([true.data[i][g].mean() for g in rings])
                common = [np.sqrt(((one.modes * one.data)[:, g].mean(axis=1) ** 2).sum())
                          for g in rings]  # fmt: skip
                error.append(common)
            found, truth, error = (np.mean(v, axis=0) for v in (found, truth, np.square(error)))
            print(f"stack of {number}, {kind}, {name}: at {edges[1:]} Mpc over the input "
                  f"{(found / truth).round(3)} +- "
                  f"{(np.sqrt(error / number) / truth).round(3)}")  # fmt: skip


def speed():
    """Print CPU time per map of 96 x 96 pixels of one process."""
    sample, theta = clusters("resolved", EACH, 903)
    mocks, _, noise = scene("clean", sample, theta, 903)
    posterior = posterior_of(mocks, 1)
    for name, estimator in estimators_of("clean", posterior, noise, None).items():
        times = []
        for _ in range(4):
            start = time.process_time()
            estimator.predict(mocks)
            times.append((time.process_time() - start) / len(mocks))
        best = min(times)
        print(f"{name}: {1e3 * best:.1f} ms per map; 1094 on two cores {1094 * best / 2:.0f} s")


def coma(folder):
    """Print the mass of Coma beside those of weak lensing."""
    from szmass.catalogs import load_sample
    from szmass.maps import open_map
    from szmass.physics import convert_mass

    folder = Path(folder)
    sample = load_sample(folder / "psz2" / "HFI_PCCS_SZ-union_R2.08.fits")
    sample = sample[["PSZ2 G057.80+88.00"]]
    ymap = open_map(folder / "milca_coma" / "map2048_MILCA_Coma_20deg_G.fits", beam=10 * u.arcmin)
    ymap.noise = "planck"
    sample.attach_cutouts(ymap)
    for mass in ("likelihood", "scaling", "cnn"):
        one = NFWMaps(mass=mass, one_minus_b=0.8).predict(sample)[0]
        posterior = NFWMaps(mass=mass, one_minus_b=0.8)._posterior(sample)
        m200 = convert_mass(posterior.median(), 0.0231, "500c", "200c", cosmology="PSZ2")
        low, high = posterior.interval()
        print(f"Coma, nfw with {mass} at 1-b = 0.8: M500 {posterior.median()[0]:.3g} "
              f"({low[0].value:.3g} to {high[0].value:.3g}), M200c {m200[0]:.3g}")  # fmt: skip
        radius = convert_radius(m200[0].value)
        for label, at in (("R500", one.r500), ("R200", radius)):
            found, error = one.mass_within(at)
            print(f"  cylinder of {label} = {u.Quantity(at):.2f}: {found.value:.3g} +- "
                  f"{error.value:.2g} solMass")  # fmt: skip
        print(one.profile(np.array([0, 0.25, 0.5, 1, 1.5, 2]) * one.r500))
    for paper, m200, c200 in LENSING:
        r200 = convert_radius(m200)
        print(f"{paper}: M200c {m200:.3g}; its NFW halo in cylinders of the same radii:")
        for label, at in (("R500", one.r500), ("own R200", r200)):
            print(f"  {label}: {nfw_cylinder(m200, c200, (at / r200).to_value('')):.3g} solMass")


#: M200c [solMass] and c200c of Coma by weak lensing, h = 0.7, from the abstracts: Gavazzi et al.
#: 2009 5.1 +4.3 -2.1 and 5.0 +3.2 -2.5; Kubo et al. 2007 1.88 +0.65 -0.56 1e15 / h (c: 4 assumed).
LENSING = (
    ("Gavazzi et al. 2009", 5.1e14, 5.0),
    ("Kubo et al. 2007", 1.88e15 / 0.7, 4.0),
    ("arXiv 2606.12523", 8.2e14, 4.0),
)


def convert_radius(m200):
    """R200c of a mass at the redshift of Coma, as an angle."""
    density = 200 * COSMOLOGY.critical_density(0.0231).to_value("solMass / Mpc3")
    length = np.cbrt(3 * m200 / (4 * np.pi * density))
    return (length / COSMOLOGY.angular_diameter_distance(0.0231).value * u.rad).to(u.arcmin)


def nfw_cylinder(m200, c200, x):
    """Mass of an endless NFW halo in a cylinder of x R200."""

    def enclosed(y):
        return np.log1p(y) - y / (1 + y)

    y = c200 * x
    inner = np.arccosh(1 / y) / np.sqrt(1 - y**2) if y < 1 else np.arccos(1 / y) / np.sqrt(y**2 - 1)
    return m200 * (np.log(y / 2) + inner) / enclosed(c200)


if __name__ == "__main__":
    from szmass.simulations import get_cluster_model

    MODEL_OBJECT = get_cluster_model(MODEL)
    asked = sys.argv[1:] or ["clean", "noisy", "planck", "peaks", "stack", "speed"]
    for part in asked:
        if part in ("clean", "noisy", "planck"):
            run(part)
        elif part == "coma":
            coma(asked[asked.index("coma") + 1])
        elif part in ("peaks", "stack", "speed"):
            {"peaks": peaks, "stack": stack, "speed": speed}[part]()
