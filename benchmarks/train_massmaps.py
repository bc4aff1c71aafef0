"""The shape tables and networks of mass maps that ship with szmass: how they were made.

    python benchmarks/train_massmaps.py mocks FOLDER resolved|planck [--number 16000] [--seed 1]
    python benchmarks/train_massmaps.py shapes FOLDER
    python benchmarks/train_massmaps.py network FOLDER resolved|planck [--epochs 24]
    python benchmarks/train_massmaps.py errors FOLDER resolved|planck

Clusters of the model "a10-the300" have the Delta_r, f_s and eta of The Three Hundred. "resolved"
sees them in y behind 0.06 R500 to 2 arcmin with no noise to 3e-5 in a beam, in X-rays without
noise or with 0.1 to 100 ks of 1000 cm2, and in galaxies; "planck" in y behind 10 arcmin in the
noise of the Planck y-maps. The mass that R500 is computed from has an error of 0.01 to 0.2 dex.
What is learned is the surface density over that of the NFW halo of the true mass and the median
concentration. "errors" fits the errors of a trained network anew, on the set of seed 2, which none
is trained on.
"""

# ruff: noqa: E402
import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import argparse
import json
import time
from pathlib import Path

import astropy.units as u
import numpy as np

from szmass._io.download import file_sha256
from szmass.maps import CutoutGeometry, NoiseModel
from szmass.massmaps._bands import (
    BANDS,
    NUMBERS,
    Bands,
    network_input,
    noise_in_disc,
    quadrupoles,
)
from szmass.massmaps._draws import DRAWS, Body, Haloes, mass_map, normals
from szmass.massmaps._grid import PIXEL, PLACES, REACH, SIDE, Placement, distances, gridded
from szmass.massmaps._halo import RADII, angular_radius, mean_over_pixels, theta_arcmin
from szmass.networks.unet import MassUNet, build_mass_unet
from szmass.physics import get_cosmology
from szmass.physics.cosmology import angular_diameter_distance, efunc
from szmass.physics.curves import mass_curve
from szmass.physics.halos import concentration500
from szmass.simulations import Observation, draw_flat, simulate
from szmass.version import __version__

MODEL, COSMOLOGY, ONE_MINUS_B = "a10-the300", get_cosmology("PSZ2"), 0.8
LIMITS = {
    "resolved": {"mass": (1.5e14, 1.8e15), "redshift": (0.05, 0.7), "theta": (1.8, 16.0)},
    "planck": {"mass": (1.5e14, 1.8e15), "redshift": (0.02, 0.6), "theta": (1.8, 40.0)},
}
EACH, ACROSS = 64, 96
# Scatter of ln c that the baseline has by itself (Anbajagane et al. 2022); modes of the rest.
SIGMA_LNC, MODES = 0.25, 24
FILTERS, BATCH, SEED = (16, 32, 48, 64), 32, 5
# Units of outputs: mean and standard deviation of ln Sigma over the halo, and of ln M.
SHAPE, AMPLITUDE = (0.3, 0.3), (0.3, 0.2)
BACKGROUND = 2e-5 * u.ct / u.s / u.arcmin**2


def map_noise(rms, beam, knee):
    """Noise with this standard deviation in a beam, and more on scales beyond the knee."""
    sigma = beam.to_value(u.rad) / np.sqrt(8 * np.log(2))
    ell = np.geomspace(30, 8 / sigma, 300)
    power = rms**2 * 4 * np.pi * sigma**2 * (1 + (knee / ell) ** 2)
    return NoiseModel(ell, power * np.exp(-((ell * sigma) ** 2)) * u.sr, beam=beam)


def clusters(kind, number, seed):
    """Clusters flat in log M and log z, sorted by their angular size."""
    limits, rng = LIMITS[kind], np.random.default_rng([seed, 1])
    low, high = limits["redshift"]
    sample = draw_flat(3 * number, mass=limits["mass"] * u.solMass, redshift=(low, high), seed=seed)
    sample.table["redshift"] = low * (high / low) ** rng.random(3 * number)
    theta = theta_arcmin(sample.table["mass_true"].to_value("solMass"), sample.redshift, COSMOLOGY)
    small, large = limits["theta"]
    kept = np.flatnonzero((theta > small) & (theta < large))[:number]
    kept = kept[np.argsort(theta[kept])]
    return sample[kept], theta[kept]


def batch(kind, sample, theta, seed):
    """Inputs and truths of clusters of about one angular size."""
    rng = np.random.default_rng([seed, 2])
    size = theta.max()
    sharp = CutoutGeometry((ACROSS, ACROSS), 4.4 * size / ACROSS * u.arcmin)
    beam, noise = 0.06 * size * u.arcmin, None
    centring = rng.choice([0.0, 0.03, 0.08]) * size * u.arcmin
    counts = kind == "resolved" and rng.random() < 0.6
    fields = {"mass": {}}
    if kind == "resolved":
        background = rng.choice([0.0, 0.3, 3.0]) / u.arcmin**2
        exposure = {"exposure": 10 ** rng.uniform(-1, 2) * u.ks, "background": BACKGROUND}
        fields |= {"xray": exposure if counts else {}, "galaxies": {"background": background}}
        seen = beam
        if rng.random() < 0.75:
            seen = max(beam.value, np.exp(rng.uniform(np.log(0.25), np.log(2)))) * u.arcmin
        if rng.random() < 0.7:
            rms = np.exp(rng.uniform(np.log(1e-6), np.log(3e-5)))
            noise = map_noise(rms, seen, rng.choice([0, 1000, 3000]))
        geometry = sharp
    else:
        centring = 1 * u.arcmin
        noise = NoiseModel.planck()
        seen, geometry = 10 * u.arcmin, CutoutGeometry()
    options = {"model": MODEL, "cosmology": COSMOLOGY, "seed": seed}
    first = Observation(name="y", beam=seen, geometry=geometry, noise=noise, centring=centring)
    second = Observation(name="sharp", beam=beam, geometry=sharp, centring=centring)
    ymaps = simulate(sample, first, **options)
    mocks = simulate(sample, second, fields=fields, **options)
    n, mass, z = len(sample), mocks.table["mass_true"].to_value("solMass"), mocks.redshift
    error = np.exp(rng.uniform(np.log(0.01), np.log(0.2), n))
    log_mass = np.log10(mass) + error * rng.standard_normal(n)
    guess = theta_arcmin(10**log_mass, z, COSMOLOGY)
    _, y500 = mass_curve(log_mass[:, np.newaxis], z, "planck2015", ONE_MINUS_B, COSMOLOGY)
    rms = np.zeros(n)
    if noise is not None:
        rms = noise_in_disc(noise, guess) * np.asarray(ymaps.table["depth"])
    distance = angular_diameter_distance(z, COSMOLOGY)
    to_l = (
        4 * np.pi * (distance * 3.0857e24 * (1 + z) ** 2) ** 2 if not counts else np.full(n, np.nan)
    )
    _, per_area = angular_radius(mass, z, COSMOLOGY)
    good = np.ones((ACROSS, ACROSS), bool)
    rows = {name: [] for name in ("planes", "numbers", "truth")}
    for i in range(n):
        other = [
            (mocks.fields[name].data[i], good) if name in mocks.fields else None
            for name in ("xray", "galaxies")
        ]
        y = ymaps.cutouts.data[i], ymaps.cutouts.footprint[i]
        told = Bands(y, *other, y500[i, 0], seen.value / guess[i], rms[i], to_l[i])
        # Each band has its grid; here X-rays and galaxies have another than y for "planck" alone.
        pixel = geometry.pixel_scale.to_value("arcmin") / guess[i]
        planes, numbers = network_input(
            told, geometry.shape, pixel, guess[i], log_mass[i], z[i], error[i],
            float(efunc(z[i], COSMOLOGY)),
        )  # fmt: skip
        place = Placement(sharp.shape, sharp.pixel_scale.to_value("arcmin") / guess[i])
        truth, _ = gridded(mocks.fields["mass"].data[i], good, place)
        for name, value in zip(rows, (planes, numbers, np.log(truth / per_area[i])), strict=True):
            rows[name].append(value)
    table = mocks.table
    with np.errstate(invalid="ignore"):
        ratio = np.nan_to_num(np.asarray(table["companion_ratio"], float))
    return {
        "planes": np.array(rows["planes"], np.float16),
        "numbers": np.array(rows["numbers"], np.float32),
        "truth": np.array(rows["truth"], np.float16),
        "mass": mass,
        "log_mass": log_mass,
        "redshift": z,
        "c500": concentration500(mass, z, "ishiyama21", COSMOLOGY),
        "size": guess / theta_arcmin(mass, z, COSMOLOGY),
        "relaxed": np.asarray(table["relaxed"], bool),
        "companion": ratio,
    }


def mocks(folder, kind, number, seed):
    """Write inputs and truths of many clusters, in parts."""
    folder.mkdir(exist_ok=True, parents=True)
    sample, theta = clusters(kind, number, seed)
    start = time.time()
    for k, first in enumerate(range(0, len(sample), EACH)):
        path = folder / f"{kind}-{seed}-{k:04d}.npz"
        if path.exists():
            continue
        part = slice(first, first + EACH)
        found = batch(kind, sample[part], theta[part], 100_000 * seed + k)
        np.savez(folder / "part.npz", **found)
        (folder / "part.npz").rename(path)
        print(f"{kind} {first + EACH} of {len(sample)}: {time.time() - start:.0f} s", flush=True)


def read(folder, kind, seeds):
    """All parts of sets, joined."""
    paths = [path for seed in seeds for path in sorted(folder.glob(f"{kind}-{seed}-*.npz"))]
    parts = [dict(np.load(path)) for path in paths]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def log_base(table):
    """ln of the NFW surface density [M500 / R500^2] on the grid of each cluster, and its slopes.

    The slopes are those along ln r and ln c, at the true mass and the median concentration.
    """
    far = distances()
    base, along_r, along_c = np.empty((3, len(table["mass"]), *far.shape), np.float32)
    for i, (c500, size) in enumerate(zip(table["c500"], table["size"], strict=True)):
        here, more = np.log(mean_over_pixels(np.array([c500, 1.01 * c500]), PIXEL * size) + 1e-30)
        slope = np.gradient(here[1:], np.log(RADII[1:]))
        base[i] = np.interp(far * size, RADII, here)
        along_c[i] = np.interp(far * size, RADII, (more - here) / np.log(1.01))
        along_r[i] = np.interp(far * size, RADII[1:], slope)
    return base, along_r, along_c


def modes_of(residual, number):
    """Principal components of maps, turned and mirrored: (K, SIDE, SIDE), with their sizes."""
    flat = np.concatenate([turned(residual, k).reshape(len(residual), -1) for k in range(8)])
    covariance = flat.T @ flat / len(flat)
    value, vector = np.linalg.eigh(covariance)
    value, vector = value[::-1][:number], vector[:, ::-1][:, :number]
    return (np.sqrt(np.maximum(value, 0)) * vector).T.reshape(number, SIDE, SIDE)


def turned(maps, k):
    """One of the eight ways to turn and mirror maps (N, ny, nx, ...)."""
    maps = np.rot90(maps, k % 4, axes=(1, 2))
    return maps[:, :, ::-1] if k >= 4 else maps


def radial(values, far=None):
    """Mean in rings of the grid, at all its pixels."""
    far = distances() if far is None else far
    ring = np.rint(far / PIXEL).astype(int)
    used = np.isfinite(values).ravel()
    ring, values = ring.ravel()[used], values.ravel()[used]
    numbers = np.unique(ring)
    mean = [values[ring == number].mean() for number in numbers]
    return np.interp(far, numbers * PIXEL, mean)


def shapes(folder, seeds, out):
    """Fit what haloes differ by from the round NFW halo of their mass, and write the table."""
    table = read(folder, "resolved", seeds)
    base, along_r, along_c = log_base(table)
    far, angle = distances(), np.arctan2(PLACES[:, np.newaxis], PLACES)
    ratio = table["truth"].astype(float) - base
    whole = np.isfinite(ratio)
    stretch = [-0.5 * along_r * f(2 * angle) for f in (np.cos, np.sin)]
    fitted = (far > 0.08) & (far < 1.5)
    parameters = np.zeros((len(ratio), 3))
    for i in range(len(ratio)):
        used = fitted & whole[i]
        terms = [np.ones(used.sum()), *(term[i][used] for term in (along_c, *stretch))]
        parameters[i] = np.linalg.lstsq(np.array(terms).T, ratio[i][used], rcond=None)[0][1:]
    parameters = np.clip(parameters, *np.percentile(parameters, [0.5, 99.5], axis=0))
    scatter, ellipse = parameters[:, 0].std(), parameters[:, 1:].std()
    # What is left has the variance of all concentrations less that of the relation.
    left = np.sqrt(1 - min(1.0, (SIGMA_LNC / scatter) ** 2))
    lean = (1 - left) * (parameters[:, 0] - parameters[:, 0].mean())
    body = ratio - lean[:, np.newaxis, np.newaxis] * along_c
    for k in (0, 1):
        body -= parameters[:, 1 + k, np.newaxis, np.newaxis] * stretch[k]
    body = np.where(whole, body, np.nan)
    mean = radial(np.nanmean(body, axis=0))
    sigma = np.sqrt(radial(np.nanmean((body - mean) ** 2, axis=0)))
    relative = np.nan_to_num((body - mean) / sigma)
    modes = modes_of(np.clip(relative, -3, 4), MODES)
    # The quadrupole of y against that of the mass, where noise and beam are small.
    y, known = np.sinh(3 * table["planes"][..., 0].astype(float)) / 10, table["planes"][..., 1]
    seen = quadrupoles(y, known.astype(float))
    beam, noise = np.exp(2 * table["numbers"][:, 3]), np.exp((table["numbers"][:, 4] - 1) / 0.3)
    clear = (beam < 0.3) & (noise < 0.01)
    a, b = seen[clear].ravel(), parameters[clear, 1:].ravel()
    about = {
        "clusters": len(ratio),
        "model": MODEL,
        "seeds": list(seeds),
        "script": "benchmarks/train_massmaps.py",
        "sigma_lnc_explicit": SIGMA_LNC,
        "sigma_lnc_fitted": round(float(scatter), 4),
        "mean_lnc_fitted": round(float(parameters[:, 0].mean()), 4),
        "ellipse": round(float(ellipse), 4),
        "ellipse_slope": round(float((a * b).mean() / (a * a).mean()), 3),
        "ellipse_correlation": round(float(np.corrcoef(a, b)[0, 1]), 4),
        "ellipse_y": round(float(a.std()), 4),
    }
    print(about, flush=True)
    out.mkdir(exist_ok=True)
    some = slice(None, None, max(1, len(ratio) // 1600))
    weight = about["ellipse_y"] ** 2 / (about["ellipse_y"] ** 2 + (3 * noise) ** 2)
    weight *= beam < 0.5
    axes = about["ellipse_slope"] * weight[:, np.newaxis] * np.clip(seen, -1, 1)
    axes *= np.minimum(1, 0.6 / np.maximum(np.hypot(*axes.T), 1e-9))[:, np.newaxis]
    spread = ellipse * np.sqrt(1 - about["ellipse_correlation"] ** 2 * weight)
    told = Body(mean, np.broadcast_to(sigma, mean.shape), np.zeros((0, SIDE, SIDE)))
    part = {name: value[some] for name, value in table.items()}
    mean = mean + shift_of(part, lambda i: told, SIGMA_LNC, axes[some], spread[some])
    arrays = {"mean": mean, "sigma": sigma, "modes": modes}
    np.savez(out / "nfw.npz", **{name: v.astype(np.float16) for name, v in arrays.items()})
    (out / "nfw.json").write_text(json.dumps(about, indent=1) + "\n")
    print("part of the variance in modes", (modes**2).sum(axis=0)[far < 1.5].mean())


def shift_of(table, body_of, sigma_lnc, axes, spread, variance=None):
    """What ln Sigma of maps of the true mass lacks in rings for their mean to be that of the mocks.

    Tails of substructure are not those of log-normal densities. ``body_of(i)`` is the `Body` of a
    cluster, the others are options of its haloes. With a ``variance`` of ln Sigma (N, ny, nx), the
    coefficients of a line in it, (2, ny, nx), which has the truth's first moment too.
    """
    place, normal = Placement((SIDE, SIDE), PIXEL), normals()
    found = np.empty((len(table["mass"]), SIDE, SIDE))
    for i in range(len(found)):
        c500 = table["c500"][i] * np.exp(sigma_lnc * normal[:, 1])
        ellipse = axes[i] + spread[i] * normal[:, 4:6]
        ellipse *= np.minimum(1, 0.8 / np.maximum(np.hypot(*ellipse.T), 1e-9))[:, np.newaxis]
        one = np.ones(DRAWS)
        haloes = Haloes(one / table["size"][i], one, c500, np.zeros((DRAWS, 2)), ellipse)
        found[i], _, _ = mass_map(haloes, body_of(i), place)
    truth = np.exp(table["truth"].astype(float))
    # Nothing is told beyond the reach.
    used = (truth > 0) & np.isfinite(truth) & (distances() < REACH)
    ring = np.rint(distances() / PIXEL).astype(int)
    numbers = np.unique(ring[distances() < REACH])
    lines = np.zeros((2, len(numbers)))
    for k, number in enumerate(numbers):
        here = used & (ring == number)
        t, f = truth[here], found[here]
        terms = np.ones((1, len(t))) if variance is None else np.stack([t**0, variance[here]])
        line = np.append(np.log(t.sum() / f.sum()), np.zeros(len(terms) - 1))
        for _ in range(20):  # Newton's, of a convex function
            told = f * np.exp(line @ terms)
            line += np.linalg.solve((terms * told) @ terms.T, terms @ (t - told))
        lines[: len(line), k] = line
    rings = [np.interp(distances(), numbers * PIXEL, values) for values in lines]
    return rings[0] if variance is None else np.array(rings)


def targets(table):
    """ln of the surface density over that of the halo, with weights, and ln M over the median."""
    base, _, _ = log_base(table)
    ratio = table["truth"].astype(np.float32) - base
    used = np.isfinite(ratio) & (distances() < REACH)
    shape = np.stack([np.where(used, np.clip(ratio, -2, 3), 0), used], axis=-1)
    amplitude = np.log(table["mass"]) - np.log(10) * table["log_mass"]
    return shape.astype(np.float32), amplitude.astype(np.float32)


def losses(keras):
    """Negative logarithms of normal densities, of shapes and of amplitudes."""
    ops = keras.ops

    def of_shape(true, found):
        mean, sigma = scaled(found, SHAPE, ops)
        loss = 0.5 * ((true[..., 0] - mean) / sigma) ** 2 + ops.log(sigma)
        return ops.sum(true[..., 1] * loss) / ops.sum(true[..., 1])

    def of_amplitude(true, found):
        mean, sigma = scaled(found, AMPLITUDE, ops)
        return ops.mean(0.5 * ((true[:, 0] - mean) / sigma) ** 2 + ops.log(sigma))

    return [of_shape, of_amplitude]


def scaled(found, scale, ops=np):
    """Mean and standard deviation of an output; ``scale`` is what they are in units of."""
    return scale[0] * found[..., 0], scale[1] * ops.exp(ops.clip(found[..., 1], -5, 5))


def network(folder, kind, seeds, epochs, out, work, minutes=None, first=None):
    """Train a network, tell its errors on the set of seed 2, and write both.

    The rate falls with the epochs, or with the minutes if these are given: then it stops there.
    """
    import keras

    from szmass.networks._weights import set_arrays

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    table, held = read(folder, kind, seeds), read(folder, kind, [2])
    shape, amplitude = targets(table)
    planes, numbers = table["planes"].astype(np.float32), table["numbers"]
    n, steps = len(planes), len(planes) // BATCH
    print(f"{n} clusters for training, {len(held['mass'])} held out", flush=True)

    class Turned(keras.utils.PyDataset):
        """Batches, each turned, with bands left out at random."""

        order = rng.permutation(n)

        def __len__(self):
            return steps

        def on_epoch_end(self):
            self.order = rng.permutation(n)

        def __getitem__(self, i):
            rows = np.sort(self.order[BATCH * i : BATCH * (i + 1)])
            seen, told = planes[rows].copy(), numbers[rows].copy()
            if kind == "resolved":
                leave_out(seen, told, rng)
            k = rng.integers(8)
            return (turned(seen, k), told), (turned(shape[rows], k), amplitude[rows, np.newaxis])

    model = build_mass_unet(planes.shape[1:], numbers.shape[1], filters=FILTERS)
    if first is not None:
        set_arrays(model, MassUNet.read_arrays(first))
    optimizer = keras.optimizers.Adam(1e-5, use_ema=True, ema_momentum=0.998, clipnorm=1.0)
    model.compile(optimizer, losses(keras), loss_weights=[1.0, 0.2])
    start, cpu = time.time(), time.process_time()

    class Course(keras.callbacks.Callback):
        """Sets the rate, and tells how it goes."""

        seen, done = 0, 0

        def on_train_batch_begin(self, batch, logs=None):
            part = self.seen / (epochs * steps)
            if minutes is not None:
                part = max(part, (time.time() - start) / (60 * minutes))
            self.model.stop_training = part >= 1
            warm = min(1.0, (self.seen + 1) / 100)
            rate = warm * (1e-5 + 1e-3 * (1 + np.cos(np.pi * min(part, 1))))
            self.model.optimizer.learning_rate.assign(rate)
            self.seen += 1

        def on_epoch_end(self, epoch, logs=None):
            values = {name: round(float(value), 4) for name, value in logs.items()}
            spent = time.time() - start, time.process_time() - cpu
            print(epoch + 1, "{:.0f} s, cpu {:.0f} s".format(*spent), values, flush=True)
            MassUNet.write(self.model, work / f"{kind}-checkpoint.npz")

    course = Course()
    model.fit(Turned(), epochs=epochs, verbose=0, callbacks=[course])
    MassUNet.write(model, work / f"{kind}-weights.npz")
    about = {
        "clusters": n,
        "seeds": list(seeds),
        "epochs": round(course.seen / steps, 2),
        "cpu_seconds": round(time.process_time() - cpu),
    }
    (work / f"{kind}-training.json").write_text(json.dumps(about))
    finish(kind, held, about, out, work)


def leave_out(planes, numbers, rng):
    """Leave bands out of some clusters, never all of them."""
    for i in range(len(planes)):
        there = rng.random(3) > (0.15, 0.3, 0.3)
        there[rng.integers(3)] = True
        for band in np.flatnonzero(~there):
            planes[i, ..., 2 * band : 2 * band + 2] = 0
            numbers[i, 3 * (band + 1) : 3 * (band + 2)] = 0


def finish(kind, held, about, out, work):
    """Fit the errors of a network on mocks that it has not seen, and write weights and card."""
    unet = MassUNet(MassUNet.read_arrays(work / f"{kind}-weights.npz"), filters=FILTERS)
    shape, amplitude = targets(held)
    used, far = shape[..., 1] > 0, distances()
    factor, shift = np.ones((8, SIDE, SIDE)), np.zeros((2, 8, SIDE, SIDE))
    for seen in range(1, 8) if kind == "resolved" else (1,):
        planes, numbers = held["planes"].astype(np.float32), held["numbers"].copy()
        for band in range(3):
            if not seen & 1 << band:
                planes[..., 2 * band : 2 * band + 2] = 0
                numbers[:, 3 * (band + 1) : 3 * (band + 2)] = 0
        parts = [unet(planes[i : i + 64], numbers[i : i + 64]) for i in range(0, len(planes), 64)]
        found, scale = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        mean, sigma = unet.scaled(found, *SHAPE)
        away = np.where(used, (shape[..., 0] - mean) / sigma, np.nan)
        # So that 68.27 % are inside a standard deviation in each ring; tails tell how honest it is.
        factor[seen] = radial(np.nan_to_num(np.nanquantile(np.abs(away), 0.6827, axis=0), nan=1.0))
        width = sigma * factor[seen]
        bodies = [Body(m, w, np.zeros((0, SIDE, SIDE))) for m, w in zip(mean, width, strict=True)]
        zeros = np.zeros((len(mean), 2))
        shift[:, seen] = shift_of(held, bodies.__getitem__, 0.0, zeros, zeros[:, 0], width**2)
        print(seen, shift[:, seen, SIDE // 2, SIDE // 2 :: 4].round(3).tolist(), flush=True)
    # The last is of all bands.
    away /= factor[seen]
    modes = modes_of(np.clip(np.nan_to_num(away), -4, 4), MODES)
    most = np.sqrt(np.maximum((modes**2).sum(axis=0), 1))
    middle, error = unet.scaled(scale, *AMPLITUDE)
    pull = (amplitude - middle) / error
    stretch = float(np.quantile(np.abs(pull), 0.6827))
    inside = (far > 0.1) & (far < 1.5)
    about = {
        "format": 1,
        "name": kind,
        "filters": list(FILTERS),
        "bands": list(BANDS) if kind == "resolved" else ["y"],
        "side": SIDE,
        "reach": REACH,
        "numbers": list(NUMBERS),
        "shape": SHAPE,
        "amplitude": [AMPLITUDE[0], AMPLITUDE[1] * stretch],
        "log10_mass": [float(v) for v in np.percentile(held["log_mass"], [0.2, 99.8])],
        "redshift": [float(v) for v in np.percentile(held["redshift"], [0.2, 99.8])],
        "training": {
            **about,
            "model": MODEL,
            "cosmology": "PSZ2",
            "szmass_version": __version__,
            "script": "benchmarks/train_massmaps.py",
        },
        "held_out": {
            "clusters": len(held["mass"]),
            "rms_ln": round(float(np.sqrt(np.mean((shape[..., 0] - mean)[used & inside] ** 2))), 4),
            "rms_ln_halo": round(float(np.std(shape[..., 0][used & inside])), 4),
            "inside_68": round(float(np.mean(np.abs(away)[used & inside] < 1)), 4),
            "inside_95": round(float(np.mean(np.abs(away)[used & inside] < 1.96)), 4),
            "amplitude_rms": round(float(np.std(amplitude - middle)), 4),
            "mass_error_rms": round(float(np.std(amplitude)), 4),
        },
    }
    weights = dict(np.load(work / f"{kind}-weights.npz"))
    errors = {"error_factor": factor, "error_modes": modes / most, "mean_shift": shift}
    arrays = weights | {name: value.astype(np.float16) for name, value in errors.items()}
    out.mkdir(exist_ok=True)
    np.savez_compressed(out / f"{kind}.npz", **arrays)
    about["sha256"] = file_sha256(out / f"{kind}.npz")
    (out / f"{kind}.json").write_text(json.dumps(about, indent=1) + "\n")
    print(json.dumps(about["held_out"], indent=1), (modes**2).sum(axis=0)[inside].mean(), stretch)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["mocks", "shapes", "network", "errors"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("kind", nargs="?", default="resolved", choices=list(LIMITS))
    parser.add_argument("--number", type=int, default=16000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--out", type=Path, default=Path("szmass/data/massmaps"))
    parser.add_argument("--work", type=Path, default=Path("."))
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--first", type=Path, help="weights to begin with")
    options = parser.parse_args()
    if options.what == "mocks":
        mocks(options.folder, options.kind, options.number, options.seed)
    elif options.what == "shapes":
        shapes(options.folder, options.seeds, options.out)
    elif options.what == "errors":
        about = json.loads((options.work / f"{options.kind}-training.json").read_text())
        held = read(options.folder, options.kind, [2])
        finish(options.kind, held, about, options.out, options.work)
    else:
        network(options.folder, options.kind, options.seeds, options.epochs, options.out,
                options.work, options.minutes, options.first)  # fmt: skip


if __name__ == "__main__":
    main()
