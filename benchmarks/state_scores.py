"""How well estimators tell the dynamical state, and whether masses depend on it.

    python benchmarks/state_scores.py [--number 1000] [--seed 101] [--kinds morphology,cnn]

The fits and networks that ship with szmass, side by side on the same mocks of other seeds than they
were trained with ("a10-the300"): correlation r of the median with the true log10 chi, area under
the curve (AUC) of P(relaxed), how often intervals of 68 and 95 % hold the truth, in all and by
signal-to-noise ratio; what is said of clusters that noise has buried, against the prior of other
mocks; two relaxed clusters of one size upon each other at 0.5 to 1 R500; with --data the clusters
of the real Coma field; what the networks read, and what moves them; and the mean residual of masses
by cnn, matched_filter and likelihood in relaxed and disturbed halves, by the true state and by the
estimated one.
"""

# ruff: noqa: E402
import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
from scipy.ndimage import shift
from scipy.stats import rankdata

sys.path.insert(0, str(Path(__file__).parent))
from train_states import planck_mocks, resolved_mocks

import szmass
from szmass import estimate_masses
from szmass.catalogs import PSZ2Catalog
from szmass.comparison import mass_bias_by_state
from szmass.maps import ComptonMap, CutoutGeometry
from szmass.maps.noise import NoiseModel
from szmass.morphology import (
    CNNState,
    MorphologyState,
    add_states,
    get_state_estimator,
    see_for_states,
)
from szmass.networks import load_networks
from szmass.physics import get_dynamical_state
from szmass.simulations import FieldStack

SHIPPED = Path(szmass.__file__).parent / "data" / "states"
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
METHODS = ("cnn", "matched_filter", "likelihood")
# Networks in place of those that ship, by name.
FOLDERS = {}


def truth_of(mocks, definition="deluca2021"):
    return np.log10(get_dynamical_state(definition).measure(mocks.table))


def estimator(name, kind="morphology", **options):
    options |= {"mass": "mass_seen", "one_minus_b": 1.0}
    if kind == "cnn":
        return CNNState(networks=FOLDERS.get(name, name), **options)
    return MorphologyState(fits=name, **options)


def with_masses(mocks, seed, scatter=0.06):
    """Add masses as catalogues have them, with a scatter in log10."""
    drawn = np.random.default_rng([seed, 3]).standard_normal(len(mocks))
    mocks.table["mass_seen"] = mocks.table["mass_true"] * 10 ** (scatter * drawn)
    return mocks


def area_under_curve(score, relaxed):
    ranks, positive = rankdata(score), relaxed.sum()
    return (ranks[relaxed].sum() - positive * (positive + 1) / 2) / positive / (~relaxed).sum()


def signal_to_noise(mocks, name, depth):
    """The larger of the ratios in y and X-rays, as both estimators take them."""
    seen = see_for_states(
        mocks, mocks.quantity("mass_seen"), cosmology="PSZ2", bands=estimator(name).bands,
        depth=None if depth is None else mocks.quantity(depth).value,
    )  # fmt: skip
    return np.nanmax(list(seen.snr.values()), axis=0)


def report(title, mocks, name, definition, kinds, depth=None):
    true = truth_of(mocks, definition)
    relaxed = true > np.log10(get_dynamical_state(definition).limit)
    best = signal_to_noise(mocks, name, depth)
    print(f"\n{title}, {definition}: {len(mocks)} clusters")
    for kind in kinds:
        tell = estimator(name, kind, definition=definition, depth=depth)
        q, p, prior, flag = tell.quantiles(mocks, LEVELS)
        for low, high in ((-np.inf, np.inf), (-np.inf, 1), (1, 4), (4, 15), (15, 60), (60, np.inf)):
            rows = (best >= low) & (best < high)
            if rows.sum() < 20:
                continue
            n, t, r = rows.sum(), true[rows], np.corrcoef(q[rows, 2], true[rows])[0, 1]
            inside = [np.mean((t > q[rows, a]) & (t < q[rows, -1 - a])) for a in (1, 0)]
            area = area_under_curve(p[rows], relaxed[rows])
            print(f"  {kind:10} S/N {low:4} to {high:4}: n {n:4}, r {r:.3f} +- "
                  f"{(1 - r**2) / n**0.5:.3f}, AUC {area:.3f} +- "
                  f"{error_of_area(area, relaxed[rows]):.3f}, 68 and 95 %: {inside[0]:.3f} "
                  f"{inside[1]:.3f} +- {(0.2176 / n) ** 0.5:.3f} {(0.0475 / n) ** 0.5:.3f}; "
                  f"P(relaxed) {p[rows].mean():.3f}, prior {prior[rows].mean():.3f}, true "
                  f"{relaxed[rows].mean():.3f}; prior given {np.mean(flag[rows] & 16 > 0):.2f}"
            )  # fmt: skip


def error_of_area(area, relaxed):
    """Standard error by Hanley & McNeil (1982)."""
    a, b = relaxed.sum(), (~relaxed).sum()
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (a - 1) * (one - area**2) + (b - 1) * (two - area**2)
    return np.sqrt(variance / (a * b))


def buried(number, seed, kinds):
    """Compare clusters in thirty times Planck's noise with the states of other mocks."""
    limits = {"mass": (2e14, 8e14) * u.solMass, "redshift": (0.05, 0.5)}
    mocks = planck_mocks(number, seed, NoiseModel.planck().scaled(30), limits)
    mocks = with_masses(mocks, seed)
    low = signal_to_noise(mocks, "planck", None) < 1
    others = truth_of(planck_mocks(8 * number, seed + 1, limits=limits))
    prior = np.quantile(others, LEVELS)
    print(f"\nBuried, S/N below 1: {low.sum()} clusters; of {len(others)} other mocks median and "
          f"half-width of 68 % of log10 chi {prior[2]:.3f} {(prior[3] - prior[1]) / 2:.3f}, "
          f"P(relaxed) {np.mean(others > 0):.3f}")  # fmt: skip
    for kind in kinds:
        q, p, _, flag = estimator("planck", kind).quantiles(mocks[low], LEVELS)
        print(f"  {kind:10} {q[:, 2].mean():.3f} {np.mean(q[:, 3] - q[:, 1]) / 2:.3f}, P(relaxed) "
              f"{p.mean():.3f}, flag PRIOR in {np.mean(flag & 16 > 0):.2f}")  # fmt: skip


def pairs_of(mocks, number, seed):
    """Images of relaxed clusters with another of nearly one size upon them at 0.5 to 1 R500."""
    order = np.argsort(-truth_of(mocks))[:number]
    rng = np.random.default_rng(seed)
    radius = (mocks.table["theta500_true"] / mocks.cutouts.geometry.pixel_scale).to_value(u.one)
    y, x, xray = [], [], mocks.fields["xray"]
    for i in order:
        j = min((k for k in order if k != i), key=lambda k: abs(radius[k] - radius[i]))
        far, angle = radius[i] * rng.uniform(0.5, 1), rng.uniform(0, 2 * np.pi)
        shift = tuple(np.rint([far * np.sin(angle), far * np.cos(angle)]).astype(int))
        y.append(mocks.cutouts.data[i] + np.roll(mocks.cutouts.data[j], shift, (0, 1)))
        x.append(xray.data[i] + np.roll(xray.data[j], shift, (0, 1)))
    alone = mocks[order]
    both = mocks[order]
    both.cutouts = both.cutouts.with_data(np.array(y))
    about = {"geometry": xray.geometry, "names": alone.names, "beam": xray.beam}
    both.fields = {"xray": FieldStack("xray", np.array(x), xray.unit, alone.coord, **about)}
    return alone, both


def equal_pairs(number, seed, kinds):
    mocks = with_masses(resolved_mocks(5 * number, seed, exposure=30.0, depth=1.0), seed)
    alone, both = pairs_of(mocks, number, seed)
    for definition in ("deluca2021", "cui2018"):
        for kind in kinds:
            tell = estimator("resolved", kind, definition=definition, depth="depth").predict
            p, before = np.asarray(tell(both)["p_relaxed"]), np.asarray(tell(alone)["p_relaxed"])
            print(f"\nEqual pairs, {definition}, {kind}: P(relaxed) < 0.05 in "
                  f"{np.mean(p < 0.05):.0%} of {number}, median {np.median(p):.4f}, 95 % quantile "
                  f"{np.quantile(p, 0.95):.3f}; alone: median {np.median(before):.2f}"
            )  # fmt: skip


def mass_bias(number, seed):
    """Print mean residuals of masses in relaxed and disturbed halves."""
    limits = {"mass": (3e14, 1.5e15) * u.solMass, "redshift": (0.03, 0.5)}
    mocks = with_masses(planck_mocks(number, seed, limits=limits), seed)
    mocks.table["true_log_chi"] = truth_of(mocks)
    table = estimate_masses(
        mocks, list(METHODS), columns=("mass_true", "true_log_chi"), one_minus_b=0.8
    )
    states = estimator("planck").predict(mocks)
    table = add_states(table, states)
    near = table[np.asarray(table["redshift"]) < 0.15]
    for what, rows in (("all", table), ("z < 0.15", near)):
        for column in ("true_log_chi", "log_chi"):
            print(f"\nMasses, {what}, halves by {column} [dex]")
            for row in mass_bias_by_state(rows, METHODS, state=column):
                print(f"  {row['method']:15} n {row['n']:4}: relaxed {row['relaxed']:+.4f} +- "
                      f"{row['relaxed_err']:.4f}, disturbed {row['disturbed']:+.4f} +- "
                      f"{row['disturbed_err']:.4f}, difference {row['difference']:+.4f} +- "
                      f"{row['difference_err']:.4f}; slope {row['slope']:+.3f} +- "
                      f"{row['slope_err']:.3f} per dex of chi")  # fmt: skip
    return table


def what_networks_read(number, seed):
    """Print how well networks do with less, and how far what they are told moves the state.

    Images are replaced by their mean round profiles, displaced by parts of a pixel or seen in
    pixels whose corner is the middle; signal-to-noise ratios are 20 % larger; masses are others.
    """
    near = {"mass": (3e14, 1.5e15) * u.solMass, "redshift": (0.02, 0.1)}
    even = {"geometry": CutoutGeometry((140, 140), 12 * u.arcsec)}
    sharp = {"exposure": 30.0, "depth": 1.0}
    planck = with_masses(planck_mocks(number, seed, limits=near), seed)
    resolved, others = (
        with_masses(resolved_mocks(number, seed, **sharp, **more), seed) for more in ({}, even)
    )
    displaced = planck[np.arange(number)]
    shifts = np.random.default_rng(seed).uniform(-1.5, 1.5, (number, 2))
    displaced.cutouts = displaced.cutouts.with_data(
        np.array([shift(y, s, order=5) for y, s in zip(planck.cutouts.data, shifts, strict=True)])
    )
    for name, mocks, moved in (("planck", planck, displaced), ("resolved", resolved, others)):
        networks = load_networks(FOLDERS.get(name, SHIPPED / f"cnn-{name}"))
        depth = None if name == "planck" else 1.0
        options = {"cosmology": "PSZ2", "bands": networks.bands, "depth": depth}

        def see(clusters, factor=1.0, options=options):
            return see_for_states(clusters, factor * clusters.quantity("mass_seen"), **options)

        seen = see(mocks)
        louder = seen.context.copy()
        louder[:, -len(networks.bands) :] += np.log10(1.2) * seen.told
        cases = {
            "as they are": (seen.planes, seen.context),
            "round": (round_profiles(seen.planes), seen.context),
            "S/N 20 % larger": (seen.planes, louder),
            **{f"masses x {f:g}": see(mocks, f)[:2] for f in (0.8, 1.25)},
            "displaced": see(moved)[:2],
        }
        print(f"\nWhat the networks {name!r} read, {number} clusters")
        for case, images in cases.items():
            found = networks.log_density(*images, "deluca2021")
            median = networks.quantiles(found, "deluca2021", [0.5])[:, 0]
            if case == "as they are":
                first = median
            r = np.corrcoef(median, truth_of(mocks))[0, 1]
            print(f"  {case:16} r {r:.3f} +- {(1 - r**2) / number**0.5:.3f}, log10 chi moves by "
                  f"{np.mean(median - first):+.3f}")  # fmt: skip


def round_profiles(planes):
    """Replace each plane by the means of rings."""
    row, column = np.mgrid[: planes.shape[1], : planes.shape[2]] - (planes.shape[1] - 1) / 2
    ring = np.unique(np.rint(np.hypot(row, column)), return_inverse=True)[1].reshape(row.shape)
    weight = np.eye(ring.max() + 1)[ring.ravel()]
    weight = weight @ (weight / weight.sum(axis=0)).T
    return np.einsum("pq,nqk->npk", weight, planes.reshape(len(planes), ring.size, -1)).reshape(
        planes.shape
    ).astype(np.float32)  # fmt: skip


def coma_field(data, kinds):
    """Print mean P(relaxed) of PSZ2 clusters in the real Coma field of MILCA, beside their priors.

    Errors are those of the mean of the probabilities, and of as many draws from them.
    """
    ymap = ComptonMap.read(
        data / "milca_coma/map2048_MILCA_Coma_20deg_G.fits", beam=10 * u.arcmin, noise="planck"
    )
    sample = PSZ2Catalog.read(data / "psz2/HFI_PCCS_SZ-union_R2.08.fits").sample(redshift=(0, 1))
    sample.attach_cutouts(ymap)
    sample = sample[sample.cutouts.complete]
    for kind in kinds:
        for definition in ("deluca2021", "cui2018"):
            table = get_state_estimator(kind, definition=definition).predict(sample)
            told = table[np.isfinite(table["log_chi"])]
            n, p, prior = len(told), told["p_relaxed"], told["p_prior"]
            drawn = [np.sqrt(np.sum(x * (1 - x))) / n for x in (p, prior)]
            print(f"\nComa field, {definition}, {kind}: {n} clusters, mean P(relaxed) "
                  f"{p.mean():.3f} +- {p.std(ddof=1) / n**0.5:.3f} (draws {drawn[0]:.3f}), prior "
                  f"{prior.mean():.3f} +- {prior.std(ddof=1) / n**0.5:.3f} (draws {drawn[1]:.3f}); "
                  f"prior given to "
                  f"{np.sum(told['flag'] & 16 > 0)}")  # fmt: skip
            for row in table:
                print(f"    {row['name']} z {row['redshift']:.3f}: {row['p_relaxed']:.2f}, prior "
                      f"{row['p_prior']:.2f}, flag {row['flag']}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--kinds", default="morphology,cnn", help="estimators, by tag")
    parser.add_argument("--data", type=Path, help="folder of real data, for the Coma field")
    parser.add_argument("--states", action="store_true", help="leave masses out")
    parser.add_argument(
        "--networks", action="append", default=[], metavar="NAME=FOLDER",
        help="networks in place of those that ship",
    )  # fmt: skip
    options = parser.parse_args()
    n, seed, kinds = options.number, options.seed, options.kinds.split(",")
    FOLDERS.update(dict(pair.split("=") for pair in options.networks))
    if options.data:
        coma_field(options.data, kinds)
    if not options.states:
        mass_bias(n, seed)
    both = ("deluca2021", "cui2018")
    mocks = with_masses(planck_mocks(n, seed), seed)
    for definition in both:
        report("Planck", mocks, "planck", definition, kinds)
    near = {"mass": (3e14, 1.5e15) * u.solMass, "redshift": (0.02, 0.1)}
    mocks = with_masses(planck_mocks(n, seed + 1, limits=near), seed)
    report("Planck, z < 0.1", mocks, "planck", "deluca2021", kinds)
    buried(n // 2, seed, kinds)
    mocks = with_masses(resolved_mocks(n, seed), seed)
    for definition in both:
        report("Resolved, as trained", mocks, "resolved", definition, kinds, "depth")
    for exposure in (0.1, 1.0, 30.0):
        mocks = with_masses(resolved_mocks(n // 2, seed, exposure=exposure), seed)
        report(f"Resolved, {exposure} ks", mocks, "resolved", "deluca2021", kinds, "depth")
    mocks = with_masses(resolved_mocks(n // 2, seed, exposure=30.0, depth=1.0), seed)
    for definition in both:
        report("Resolved, 30 ks, 1e-5", mocks, "resolved", definition, kinds, "depth")
    equal_pairs(n // 10, seed, kinds)
    what_networks_read(n // 3, seed + 1)


if __name__ == "__main__":
    main()
