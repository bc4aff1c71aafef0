"""What the networks are worth, on clusters that no training or calibration has seen.

    python benchmarks/networks.py domain [--number 70000]       errors, bias and coverage
    python benchmarks/networks.py told                          coverage for a scatter that is told
    python benchmarks/networks.py exchange                      bias after a change of the prior
    python benchmarks/networks.py sampling                      points, bilinear, nearest pixels
    python benchmarks/networks.py outside                       the out-of-domain score
    python benchmarks/networks.py spectra [--data FOLDER]       spectra that nobody has trained on
    python benchmarks/networks.py errors                        of redshifts and positions, told
    python benchmarks/networks.py estimators                    against matched filter and posterior
    python benchmarks/networks.py variants [--data FOLDER]      other physics, other noise, real sky
    python benchmarks/networks.py real --data FOLDER            the clusters of the Coma field
    python benchmarks/networks.py speed
    python benchmarks/networks.py efficiency --gaussian FOLDER  against the information limit
    python benchmarks/networks.py architectures --published FOLDER

``--networks FOLDER`` takes networks that ``szmass train`` wrote there instead of those that ship.
The folder of ``efficiency`` is written by ``szmass train benchmarks/gaussian.toml -o FOLDER``, the
one of ``architectures`` by ``szmass train benchmarks/published.toml -o FOLDER``.
"""

import argparse
import dataclasses
import time
import warnings
from itertools import pairwise
from pathlib import Path

import astropy.units as u
import numpy as np
from scipy.special import ndtr

from szmass.estimators import CNNMass, LikelihoodMass, MassFunctionPrior, MatchedFilterMass
from szmass.exceptions import UnweighedClustersWarning
from szmass.maps import ComptonMap, NoiseModel
from szmass.networks import AmplitudeNetworks, Recipe, load_binned, load_networks
from szmass.physics.halos import theta500
from szmass.physics.scaling import get_scaling_relation, y_to_arcmin2
from szmass.results import MassFlag
from szmass.simulations import (
    Environment,
    Observation,
    draw_flat,
    draw_mass_function,
    get_cluster_model,
    simulate,
)

COSMOLOGY = "PSZ2"
BINS = (0.0, 0.1, 0.2, 0.4, 1.0)
SEED = 90_000
# Standard deviation per axis of the mocks' position error.
CENTRING = 1 * u.arcmin
CHUNK = 4096
# Haloes that are drawn from the mass function at a time.
DRAWN = 200_000
# Clusters are detected at that S/N; of those expected below the other one in a thousand is. Of
# these do not count those whose surroundings are worth more than that: a neighbour is seen there.
LEAST, FAINT, AROUND = 4.5, 1.5, 0.5
# Scatter of ln Y500 at given mass in the mocks.
SIGMA_LNY = get_cluster_model("a10").sigma_lny


def population(n, seed, recipe=None):
    """Clusters as those of the recipe, and none of them."""
    data = (recipe or Recipe.read("default")).data
    redshift = np.concatenate([np.linspace(*pair, 1000) for pair in pairwise(data["redshift"])])
    return draw_flat(n, mass=data["mass"] * u.solMass, redshift=redshift, seed=seed)


def observation(kind, **options):
    noise = None if kind is None else NoiseModel.planck(kind, depth=None)
    values = {"name": "mock", "noise": noise, "centring": CENTRING} | options
    return Observation(**values)


def mocks(n, kind="instrument", *, seed, depth=1.0, model="a10", environment=True, **options):
    """Samples of at most CHUNK mock clusters, with the factor of the noise in ``depth``."""
    rng = np.random.default_rng(seed)
    surroundings = Environment(cosmology=COSMOLOGY) if environment else None
    for i, start in enumerate(range(0, n, CHUNK)):
        size = min(CHUNK, n - start)
        part = population(size, seed + i)
        part.table["depth"] = np.exp(rng.uniform(*np.log(np.broadcast_to(depth, 2)), size))
        yield simulate(
            part,
            observation(kind, **options),
            model=model,
            cosmology=COSMOLOGY,
            seed=seed + i,
            environment=surroundings,
        )


class Weighed:
    """Densities of log10 M and the truth, of any number of samples."""

    def __init__(self, parts):
        logs, truth, redshift, depth = zip(*parts, strict=True)
        self.grid = logs[0][0]
        p = np.exp(np.concatenate([values for _, values in logs]))
        p /= p.sum(axis=1, keepdims=True)
        self.truth = np.concatenate(truth)
        self.redshift, self.depth = np.concatenate(redshift), np.concatenate(depth)
        self.log_mean, self.mean = p @ self.grid, p @ 10**self.grid
        below = np.cumsum(p, axis=1) - 0.5 * p
        self.pit = np.array(
            [np.interp(t, self.grid, row) for t, row in zip(self.truth, below, strict=True)]
        )
        self.error = self.log_mean - self.truth
        self.relative = 1 - 10**self.truth / self.mean

    def coverage(self, inside, level):
        return float(np.mean(np.abs(self.pit[inside] - 0.5) < level / 2))

    def bin(self, low, high):
        return (self.redshift > low) & (self.redshift <= high)


def truth_of(sample):
    return np.log10(sample.quantity("mass_true").value), sample.redshift


def told_estimator(networks, noise, sigma_lny=SIGMA_LNY):
    """The estimator 'cnn', told the noise, its depth in a column, and the mocks' position error."""
    return CNNMass(
        weights=networks, noise=noise, depth="told", sigma_lny=sigma_lny, centring=CENTRING
    )


def densities(networks, sample, noise, depth=None, sigma_lny=SIGMA_LNY):
    """ln of the likelihoods of 'cnn', with the depth of the sample or another."""
    depth = sample.quantity("depth").value if depth is None else depth
    estimator = told_estimator(networks, noise, sigma_lny)
    sample.table["told"] = depth
    grid, log_l = estimator.log_likelihood(sample)
    return grid, log_l - log_l.max(axis=1, keepdims=True)


def weigh(networks, samples, noise, told=None):
    parts = []
    for sample in samples:
        depth = sample.quantity("depth").value
        found = densities(networks, sample, noise, depth if told is None else told + 0 * depth)
        parts.append((found, *truth_of(sample), depth))
    return parts


def domain(arguments, networks):
    """The test set of the domain: the recipe's noise, both kinds."""
    half = arguments.number // 2
    parts = []
    for k, kind in enumerate(("total", "instrument")):
        samples = mocks(half, kind, seed=arguments.seed + 1000 * k, depth=(0.65, 1.55))
        parts += weigh(networks, samples, NoiseModel.planck(kind, depth=None))
    found = Weighed(parts)
    print(f"{len(found.truth)} clusters; estimate: mean of M; bins of predicted log10 M")
    edges = np.arange(13.7, 15.6, 0.2)
    predicted = np.log10(found.mean)
    worst = 0.0
    print("  mean of (M_CNN - M_true) / M_CNN +- its error, where there are > 200:")
    for low, high in pairwise(BINS):
        cells = []
        for m0, m1 in pairwise(edges):
            inside = found.bin(low, high) & (predicted > m0) & (predicted <= m1)
            if inside.sum() > 200:
                values = found.relative[inside]
                worst = max(worst, abs(values.mean()))
                cells.append(
                    f"{values.mean():+.3f}({1e3 * values.std() * inside.sum() ** -0.5:.0f})"
                )
            else:
                cells.append("   -   ")
        print(f"    z ({low}, {high}]: " + " ".join(cells))
    print(f"    largest: {worst:.3f}")
    for low, high in pairwise(BINS):
        line = f"  z ({low}, {high}]:"
        for name, cut in (
            ("all", np.ones_like(predicted, bool)),
            ("> 14.7", predicted > 14.7),
            ("<= 14.7", predicted <= 14.7),
            ("depth < 1", found.depth < 1),
            ("depth > 1", found.depth > 1),
        ):
            inside = found.bin(low, high) & cut
            line += (
                f"  {name} {100 * found.coverage(inside, 0.68):.1f} "
                f"{100 * found.coverage(inside, 0.95):.1f}"
            )
        rmse = np.sqrt(np.mean(found.error[found.bin(low, high)] ** 2))
        print(line + f"  rmse {rmse:.4f}")


def told(arguments, networks):
    """Intervals where the scatter of ln Y500 is another and is told, and where it is told wrong."""
    noise = NoiseModel.planck("total", depth=None)
    for k, sigma in enumerate((0.08, 0.10, 0.173, 0.20)):
        model = dataclasses.replace(get_cluster_model("a10"), name=f"a10-{sigma}", sigma_lny=sigma)
        seed = arguments.seed + 13_000 + 100 * k
        parts, snr = {said: [] for said in (sigma, sigma - 0.05, sigma + 0.05)}, []
        for sample in mocks(arguments.number, "total", seed=seed, model=model):
            snr.append(expected_snr(sample, noise))
            for said, rows in parts.items():
                found = densities(networks, sample, noise, sigma_lny=said)
                rows.append((found, *truth_of(sample), sample.redshift))
        snr = np.concatenate(snr)
        for said, rows in parts.items():
            found = Weighed(rows)
            print(
                f"  sigma_lny {sigma}, told {said:.3f}: n, 68 %, 95 %; of those seen, S/N > 4.5; "
                f"log10 of L(log M = 13.8) over its maximum: {tail(rows, found, snr):.1f}"
            )
            for low, high in [(0, 1), *pairwise(BINS)]:
                inside = found.bin(low, high)
                cells = [
                    f"{cut.sum():5} {100 * found.coverage(cut, 0.68):.1f} "
                    f"{100 * found.coverage(cut, 0.95):.1f}"
                    for cut in (inside, inside & (snr > LEAST))
                ]
                few = " (few: raise --number)" if (inside & (snr > LEAST)).sum() < 2000 else ""
                print(f"    z ({low}, {high}]: " + "; seen ".join(cells) + few)


def tail(parts, found, snr):
    """Median log10 of the likelihood at log M = 13.8 over its maximum, at S/N 7.8 to 9.4."""
    log_l = np.concatenate([values for (_, values), *_ in parts])
    inside = (snr > 7.8) & (snr < 9.4) & (found.truth > 14.2)
    at = [np.interp(13.8, found.grid, row) - row.max() for row in log_l[inside]]
    return np.median(at) / np.log(10)


def expected_snr(sample, noise):
    """Y500 of clusters over the noise of the optimal filter."""
    sigma = noise.sigma_y500(sample.quantity("theta500_true")).to_value("arcmin2")
    return sample.quantity("y500_true").to_value("arcmin2") / sigma / sample.quantity("depth").value


def snr_of(mass, z, networks, noise):
    """S/N that is expected of masses, by the relation of Planck, at depth 1."""
    relation = {"one_minus_b": 0.8, "cosmology": COSMOLOGY}
    y500 = get_scaling_relation("planck2015").y500(mass, z, **relation)
    y500 = y_to_arcmin2(y500, z, cosmology=COSMOLOGY).to_value("arcmin2")
    size = theta500(0.8 * mass, z, cosmology=COSMOLOGY).to_value("arcmin")
    return y500 / networks.inputs(noise).error(size)


def drawn(n, lowest, highest, networks, noise, seed):
    """Clusters of the mass function, in pieces, and the S/N that is expected of their mass."""
    for k, start in enumerate(range(0, n, DRAWN)):
        sample = draw_mass_function(
            min(DRAWN, n - start),
            mass=[lowest, highest] * u.solMass,
            redshift=(0.01, 0.999),
            cosmology=COSMOLOGY,
            seed=seed + k,
        )
        yield sample, snr_of(sample.quantity("mass_true"), sample.redshift, networks, noise)


def found_snr(matched, sample):
    """S/N of the filter of the true size, in the middle; far below the beam size makes no odds."""
    size = np.maximum(sample.quantity("theta500_true"), 0.5 * u.arcmin)
    return np.asarray(matched.measure(sample, size)["snr"])


def lifted(sample, noise, seed):
    """Mocks in whose noise there is, in the middle, a multiple of what the filter looks for.

    That raises their S/N to the limit of detection. With them come that without noise, what it was
    raised by, that of their noise, and how much likelier such noise is where nothing was added.
    """
    options = {"cosmology": COSMOLOGY, "seed": seed}
    around = Environment(cosmology=COSMOLOGY)
    mocks = simulate(sample, observation(None), model="a10", environment=around, **options)
    round_ones = dataclasses.replace(
        get_cluster_model("a10-spheres"),
        name="mean",
        sigma_lny=0.0,
        sigma_ln_one_minus_b=0.0,
        profile_scatter=0.0,
    )
    middle = observation(None, centring=0 * u.arcmin)
    template = simulate(sample, middle, model=round_ones, environment=None, **options)
    matched = MatchedFilterMass(noise=noise)
    rng = np.random.default_rng(seed)
    added = noise.draw(observation(None).geometry, len(sample), rng)
    clean = found_snr(matched, mocks)
    push = np.maximum(LEAST - clean, 0.0)
    factor = push / found_snr(matched, template)
    added += factor[:, np.newaxis, np.newaxis] * template.cutouts.data
    template.cutouts.data[:] = added
    snr = found_snr(matched, template)
    mocks.cutouts.data[:] += added
    return mocks, clean, push, snr, np.exp(push * (0.5 * push - snr))


def exchange(arguments, networks):
    """Bias of clusters drawn from the mass function, after the flat prior is exchanged for it.

    Of those above the lower end of the networks' grid, and of all haloes from 1e13: fainter ones
    are seen where noise lifts them, which is drawn lifted, and weighted.
    """
    noise, prior = NoiseModel.planck("total", depth=None), MassFunctionPrior(COSMOLOGY)
    own, seed = networks.log10_mass, arguments.seed + 14_000
    below = own[0] - (own[1] - own[0]) * np.arange(1, 1000)
    grid = np.concatenate([below[below > 13.0 - 1e-9][::-1], own])
    wide, flat = slice(None), slice(len(grid) - len(own), None)
    matched = MatchedFilterMass(noise=noise)
    exact = LikelihoodMass(
        noise=noise,
        one_minus_b=0.8,
        sigma_lny=SIGMA_LNY,
        centring=CENTRING,
        log10_mass=grid,
        cosmology=COSMOLOGY,
    )
    cnn = dataclasses.replace(told_estimator(networks, noise), log10_mass=grid, depth=1.0)
    rows = []

    def weighed(mocks, heavy, weight):
        snr = found_snr(matched, mocks)
        seen = np.flatnonzero(snr > LEAST)
        mocks, truth = mocks[seen], truth_of(mocks)[0][seen]
        logs = [estimator.log_likelihood(mocks)[1] for estimator in (cnn, exact)]
        for k, row in enumerate(seen):
            p = [np.exp(log_l[k] - log_l[k].max()) for log_l in logs]
            steep = prior(grid, mocks.redshift[k])
            error = [
                density[part] @ grid[part] / density[part].sum() - truth[k]
                for density in (*p, *(one * steep for one in p))
                for part in (flat, wide)
            ]
            rows.append((snr[row], heavy, weight[row], *error))

    number, top = arguments.number * 12, 10 ** own[-1]
    for k, (sample, expected) in enumerate(drawn(number, 10 ** own[0], top, networks, noise, seed)):
        # Of fainter ones one in a thousand is seen.
        sample = sample[expected > FAINT]
        for start in range(0, len(sample), CHUNK):
            mocks = simulate(
                sample[start : start + CHUNK],
                observation("total"),
                model="a10",
                cosmology=COSMOLOGY,
                seed=seed + 100_000 * k + start,
                environment=Environment(cosmology=COSMOLOGY),
            )
            weighed(mocks, True, np.ones(len(mocks)))
    rng = np.random.default_rng(seed)
    sample, expected = next(drawn(DRAWN, 1e13, top, networks, noise, seed - 1))
    heavy = sample.quantity("mass_true").value >= 10 ** own[0]
    chance = np.where(heavy & (expected > FAINT), 0.0, ndtr(expected - LEAST))
    chosen = rng.choice(len(sample), arguments.number // 4, p=chance / chance.sum())
    chosen, times = np.unique(chosen, return_counts=True)
    stands_for = number / heavy.sum() * chance.sum() / times.sum() * times / chance[chosen]
    for start in range(0, len(chosen), CHUNK):
        part = slice(start, start + CHUNK)
        mocks, clean, push, lift, weight = lifted(sample[chosen[part]], noise, seed + start)
        # A check of the weights.
        share = weight * (lift > push) / ndtr(-push)
        alone = np.flatnonzero(clean - expected[chosen[part]] < AROUND)
        print(
            f"  noise is beyond what it is raised by {share.mean():.3f} +- "
            f"{share.std() / len(share) ** 0.5:.3f} times as often as it has to be; "
            f"{100 - 100 * len(alone) / len(mocks):.1f} % of faint ones are beside others"
        )
        weighed(mocks[alone], False, (weight * stands_for[part])[alone])
    snr, heavy, weight, *errors = np.array(rows).T
    faint = weight[heavy == 0].sum() / weight.sum()
    print(f"  of clusters of S/N > {LEAST} {100 * faint:.1f} % are haloes that noise has lifted")
    cases = (
        ("those above the grid's lower end, flat prior", heavy > 0, 0),
        ("those, mass function", heavy > 0, 4),
        ("all from 1e13, mass function, that grid", heavy >= 0, 4),
        ("all from 1e13, mass function, grid from 1e13", heavy >= 0, 5),
    )
    for j, name in enumerate(("cnn", "likelihood")):
        for label, which, column in cases:
            error, cells = errors[column + 2 * j], []
            for least in (LEAST, 10):
                inside = which & (snr > least)
                w = weight[inside] / weight[inside].sum()
                mean = w @ error[inside]
                scatter = np.sqrt(w**2 @ (error[inside] - mean) ** 2)
                cells.append(f"S/N > {least}: {mean:+.4f} +- {scatter:.4f} ({inside.sum()})")
            print(f"  {name}, {label}: mean of log10 M / M_true, " + "; ".join(cells))


def sampling(arguments, networks):
    """The same clusters in cutouts of all samplings, told and not."""
    noise = NoiseModel.planck("total", depth=None)
    for kind in ("point", "bilinear", "nearest"):
        samples = list(
            mocks(arguments.number, "total", seed=arguments.seed + 15_000, sampling=kind)
        )
        for said in dict.fromkeys((kind, "point")):
            for sample in samples:
                sample.cutouts.sampling = dataclasses.replace(sample.cutouts.sampling, kind=said)
            found = Weighed(weigh(networks, samples, noise))
            # Of the masses that were found: a cut in what is true would bias them low.
            snr = snr_of(found.mean * u.solMass, found.redshift, networks, noise)
            cells = [
                f"{found.relative[cut].mean():+.3f}"
                f"({1e3 * found.relative[cut].std() * cut.sum() ** -0.5:.0f})"
                for cut in (found.bin(*pair) & (snr > LEAST) for pair in pairwise(BINS))
            ]
            print(f"  {kind}, told {said}: (M - M_true) / M by redshift, S/N > 4.5: {cells}")


def outside(arguments, networks):
    """False alarms of the out-of-domain score in domain, and what it tells of foreign cutouts."""
    total = NoiseModel.planck("total", depth=None)
    n, threshold = arguments.number, networks.domain.threshold

    def score(sample, told):
        options = {"noise": total, "depth": told, "sampling": sample.cutouts.sampling}
        data = sample.cutouts.data
        if isinstance(networks, AmplitudeNetworks):
            centring = CENTRING.value
            found = networks.amplitude(data, sample.redshift, centring=centring, **options)
        else:
            found = networks.log_density(data, sample.redshift, **options)
        return networks.domain_score(data, sample.redshift, found, **options)

    known = {}
    for sampling in ("point", "nearest", "bilinear"):
        options = {"sampling": sampling, "depth": (0.65, 1.55), "seed": arguments.seed + 11_000}
        samples = list(mocks(n, "total", **options))
        found = [score(s, s.quantity("depth").value) for s in samples]
        known[sampling] = np.concatenate(found)
        strange = known[sampling] > threshold
        mass, redshift = map(np.concatenate, zip(*map(truth_of, samples), strict=True))
        shares = []
        for low, high in pairwise(BINS):
            inside = (redshift > low) & (redshift <= high)
            shares += [strange[inside & heavy].mean() for heavy in (mass <= 14.7, mass > 14.7)]
        print(
            f"  {sampling}: {100 * strange.mean():.2f} % of {len(strange)} flagged; "
            f"by redshift bin, log M below and above 14.7: {np.round(100 * np.array(shares), 1)}"
        )
    sample = next(mocks(min(n, CHUNK), "total", seed=arguments.seed + 12_000))
    snr = sample.quantity("y500_true").to_value("arcmin2")
    snr = snr / total.sigma_y500(sample.quantity("theta500_true")).to_value("arcmin2")
    maps, rng = sample.cutouts.data.copy(), np.random.default_rng(5)
    louder = next(mocks(len(sample), "total", seed=arguments.seed + 12_000, depth=1.5)).cutouts.data
    clean = next(mocks(len(sample), None, seed=arguments.seed + 12_000)).cutouts.data
    y, x = np.mgrid[:96, :96] - 47.5
    hole = np.hypot(x, y) * 1.7 < 7.5
    for name, foreign in (
        ("noise x 1.5, not told", louder),
        ("white noise of the same rms", clean + total.rms() * rng.standard_normal(maps.shape)),
        ("centre masked within 7.5 arcmin", np.where(hole, 0, maps)),
    ):
        sample.cutouts.data[:] = foreign
        found = score(sample, 1.0)
        for what, cut in (("all", snr > -1), ("S/N > 6", snr > 6)):
            pairs = found[cut][:, np.newaxis] > np.sort(known["point"])
            print(
                f"  {name}, {what}: AUC {pairs.mean():.3f}, flagged "
                f"{100 * np.mean(found[cut] > threshold):.0f} %"
            )


def foreign_spectra(number, seed):
    """Noise with spectra that no recipe draws: smooth random curves, about as deep as Planck's."""
    rng = np.random.default_rng(seed)
    total = NoiseModel.planck("total", depth=None)
    ell, beam, size = total.ell, total.beam, 5 * u.arcmin
    x = np.log(np.maximum(ell, 20.0) / 20.0)
    window = np.exp(-ell * (ell + 1) * beam.to_value("rad") ** 2 / (8 * np.log(2)))
    for i in range(number):
        waves = [
            rng.normal(0, 0.35 / k) * np.cos(np.pi * k * x / x.max() + rng.uniform(0, 2 * np.pi))
            for k in range(1, 5)
        ]
        power = total.spectrum(ell, deconvolved=True).value * np.exp(sum(waves)) * window
        model = NoiseModel(ell, power * u.sr, beam=beam)
        ratio = total.sigma_y500(size) / model.sigma_y500(size)
        yield f"random curve {i + 1}", model.scaled(float(ratio) * np.exp(rng.uniform(-0.2, 0.2)))


def named_spectra(folder):
    """Tilted noise, the mean of the two that were trained; with real data what that has."""
    total, instrument = (NoiseModel.planck(kind, depth=None) for kind in ("total", "instrument"))
    ell = total.ell
    x = np.maximum(ell, 20.0) / 500
    for tilt in (-0.3, 0.3):
        yield f"tilt {tilt:+}", NoiseModel(ell, total.spectrum(ell) * x**tilt, beam=total.beam)
    mean = np.sqrt(total.spectrum(ell).value * instrument.spectrum(ell).value)
    yield "geometric mean", NoiseModel(ell, mean * u.sr, beam=total.beam)
    if folder:
        ymap, catalog = coma_field(folder)
        yield (
            "empty fields of Coma",
            NoiseModel.from_empty_fields(
                ymap, exclude=catalog.sample().coord, radius=30 * u.arcmin
            ),
        )
        halves = [
            ComptonMap.read(
                Path(folder) / "milca_coma" / f"map2048_MILCA_Coma_20deg_{half}.fits",
                beam=10 * u.arcmin,
            )
            for half in ("first", "last")
        ]
        yield "half difference of Coma", NoiseModel.from_half_difference(*halves)


def spectra(arguments, networks):
    """Noise of other spectral shapes than those of the training, told exactly."""
    cases = [*foreign_spectra(10, arguments.seed), *named_spectra(arguments.data)]
    geometry, worst = observation(None).geometry, 0.0
    for i, (name, model) in enumerate(cases):
        model = NoiseModel(model.ell, model.spectrum(model.ell), beam=model.beam)
        parts, strange, snr = [], [], []
        for sample in mocks(
            arguments.number, None, seed=arguments.seed + 17_000 + 100 * i, depth=(0.8, 1.25)
        ):
            depth = sample.quantity("depth").value
            sample.cutouts.data[:] += model.draw(
                geometry, len(sample), np.random.default_rng([i, len(sample)]), depth=depth
            )
            sample.table["told"] = depth
            table = told_estimator(networks, model).predict(sample)
            strange.append(table["flag"] & MassFlag.OUT_OF_DOMAIN > 0)
            parts += weigh(networks, [sample], model)
            snr.append(expected_snr(sample, model))
        found, strange = Weighed(parts), np.concatenate(strange)
        every, seen = found.truth > 0, np.concatenate(snr) > 4.5
        worst = max(worst, abs(found.error.mean()))
        print(
            f"  {name}: n = {len(found.truth)}, mean of log10 M / M_true {found.error.mean():+.4f} "
            f"+- {found.error.std() / len(found.truth) ** 0.5:.4f}; 68 and 95 % intervals hold "
            f"{100 * found.coverage(every, 0.68):.1f} {100 * found.coverage(every, 0.95):.1f}, of "
            f"S/N > 4.5 {100 * found.coverage(seen, 0.68):.1f} "
            f"{100 * found.coverage(seen, 0.95):.1f}; flagged {100 * strange.mean():.1f} %"
        )
    print(f"  largest mean: {worst:.4f} dex")


def errors(arguments, networks):
    """Intervals where redshifts and positions have errors, which are told."""
    total = NoiseModel.planck("total", depth=None)
    rng = np.random.default_rng(arguments.seed)
    for name, redshift_err, centring in (
        ("exact", 0.0, 0.0),
        ("redshift error 0.05", 0.05, 0.0),
        ("position error 2 arcmin", 0.0, 2.0),
    ):
        logs, truth, redshift, snr = [], [], [], []
        for sample in mocks(
            arguments.number,
            "total",
            seed=arguments.seed + 16_000,
            centring=centring * u.arcmin,
        ):
            true = sample.redshift.copy()
            truth.append(truth_of(sample)[0])
            snr.append(expected_snr(sample, total))
            # Those whose catalogued redshift is one: the error is symmetric about the truth.
            said = true + redshift_err * rng.standard_normal(len(true))
            good = (said > 0.02) & (said < 0.98)
            sample = sample[good]
            sample.table["redshift"] = said[good]
            sample.table["redshift_err"] = np.full(good.sum(), redshift_err)
            truth[-1], snr[-1] = truth[-1][good], snr[-1][good]
            estimator = CNNMass(
                weights=networks,
                noise=total,
                depth=1.0,
                sigma_lny=SIGMA_LNY,
                centring=centring * u.arcmin,
            )
            logs.append(estimator.log_likelihood(sample))
            redshift.append(true[good])
        depth = [np.ones(len(z)) for z in redshift]
        found = Weighed(zip(logs, truth, redshift, depth, strict=True))
        cells = []
        for low, high in [(0, 1), *pairwise(BINS)]:
            inside = found.bin(low, high)
            seen = inside & (np.concatenate(snr) > 4.5)
            cells.append(
                f"z ({low}, {high}] {100 * found.coverage(inside, 0.68):.1f} "
                f"{100 * found.coverage(inside, 0.95):.1f}, S/N > 4.5 "
                f"{100 * found.coverage(seen, 0.68):.1f} {100 * found.coverage(seen, 0.95):.1f}"
            )
        print(f"  {name}: 68 and 95 % intervals hold " + "; ".join(cells))


def estimators(arguments, networks):
    """Planck-like mocks with all ingredients, against matched filter and posterior."""
    kind = "instrument"
    noise = NoiseModel.planck(kind, depth=None)
    common = {"noise": noise, "relation": "arnaud2010", "one_minus_b": 0.8}
    common |= {"cosmology": COSMOLOGY, "depth": "depth"}
    grid = networks.log10_mass
    likelihood = LikelihoodMass(
        **common, sigma_lny=0.1, centring=CENTRING, prior="flat", log10_mass=grid
    )
    matched = MatchedFilterMass(**common)
    errors = {"cnn": [], "likelihood": [], "matched_filter": []}
    redshift, snr = [], []
    for sample in mocks(arguments.number, kind, seed=arguments.seed + 5000, depth=(0.75, 1.3)):
        truth, z = truth_of(sample)
        p = np.exp(densities(networks, sample, noise)[1])
        errors["cnn"].append(p @ grid / p.sum(axis=1) - truth)
        exact = likelihood.predict_posterior(sample)
        errors["likelihood"].append(np.log10(exact.mean().value) - truth)
        errors["matched_filter"].append(np.log10(matched.predict(sample)["mass"].value) - truth)
        redshift.append(z)
        scan = matched.measure(sample, sample.quantity("theta500_true"))
        snr.append((scan["y500"] / scan["y500_err"]).to_value(""))
    errors = {name: np.concatenate(values) for name, values in errors.items()}
    redshift, snr = np.concatenate(redshift), np.concatenate(snr)
    known = np.all([np.isfinite(values) for values in errors.values()], axis=0)
    for name, cut in (("S/N > 4.5", snr > 4.5), ("all with a matched-filter mass", snr > -99)):
        print(f"  {name}: rmse of log10 M [dex]")
        for low, high in [(0, 1), *pairwise(BINS)]:
            inside = known & cut & (redshift > low) & (redshift <= high)
            rmse = {m: np.sqrt(np.mean(values[inside] ** 2)) for m, values in errors.items()}
            print(
                f"    z ({low}, {high}] n = {inside.sum():5}: "
                + ", ".join(f"{method} {value:.4f}" for method, value in rmse.items())
                + f"; cnn / matched_filter {rmse['cnn'] / rmse['matched_filter']:.3f}, "
                f"cnn / likelihood {rmse['cnn'] / rmse['likelihood']:.3f}"
                f" (+- {_ratio_error(errors, inside, 'matched_filter'):.3f}, "
                f"{_ratio_error(errors, inside, 'likelihood'):.3f})"
            )


def _ratio_error(errors, inside, other, draws=200):
    """Bootstrap error of the ratio of the rmse of 'cnn' to that of another method."""
    own, theirs = errors["cnn"][inside] ** 2, errors[other][inside] ** 2
    rows = np.random.default_rng(0).integers(0, len(own), (draws, len(own)))
    return np.std(np.sqrt(own[rows].mean(axis=1) / theirs[rows].mean(axis=1)))


def variants(arguments, networks):
    """Other physics and other noise than in the training."""
    n = arguments.number

    def line(name, parts):
        found = Weighed(parts)
        ratios = ", ".join(
            f"{found.error[found.bin(*pair)].mean():+.3f}" for pair in pairwise(BINS)
        )
        every = np.ones(len(found.truth), bool)
        print(
            f"  {name}: n = {len(found.truth)}, mean of log10 M_CNN / M_true "
            f"{found.error.mean():+.4f} (by redshift {ratios}); 68 % interval holds "
            f"{100 * found.coverage(every, 0.68):.1f} %"
        )

    total = NoiseModel.planck("total", depth=None)
    line("default", weigh(networks, mocks(n, "total", seed=arguments.seed + 7000), total))
    slope = get_cluster_model("a10").y_slope
    reference = [s.quantity("y500_true").value for s in mocks(n, None, seed=arguments.seed + 7000)]
    reference = np.concatenate(reference)
    for model in ("battaglia2012-agn", "battaglia2012-shock", "planck2013", "he2021"):
        samples = list(mocks(n, "total", seed=arguments.seed + 7000, model=model))
        y500 = np.concatenate([s.quantity("y500_true").value for s in samples])
        shift = np.log10(y500 / reference) / slope
        parts = weigh(networks, samples, total)
        # Masses on the scale of the variant: the truth is moved by the shift of its mean relation,
        # one number for all clusters, or as it depends on mass and redshift.
        for how, moves in (("one", shift.mean() + 0 * shift), ("by mass and redshift", shift)):
            starts = np.cumsum([0, *(len(part[1]) for part in parts)])
            moved = [
                (logs, truth + moves[low:high], z, depth)
                for (logs, truth, z, depth), (low, high) in zip(
                    parts, pairwise(starts), strict=True
                )
            ]
            line(f"{model}, Y-M shift of {shift.mean():+.3f} dex taken out ({how})", moved)
    for factor in (0.75, 1.25):
        samples = list(mocks(n, "total", seed=arguments.seed + 7000, depth=factor))
        line(f"noise x {factor}, told", weigh(networks, samples, total))
        line(f"noise x {factor}, not told", weigh(networks, samples, total, told=1.0))
    if arguments.data:
        real_sky(arguments, networks, line)


def coma_field(folder):
    folder = Path(folder)
    ymap = ComptonMap.read(
        folder / "milca_coma" / "map2048_MILCA_Coma_20deg_G.fits",
        beam=10 * u.arcmin,
        noise="planck",
    )
    from szmass.catalogs import PSZ2Catalog

    return ymap, PSZ2Catalog.read(folder / "psz2" / "HFI_PCCS_SZ-union_R2.08.fits")


def real_sky(arguments, networks, line):
    """Clusters injected into the Coma field, with the noise that Planck's filters found there."""
    from szmass.simulations import inject

    ymap, catalog = coma_field(arguments.data)
    known = catalog.sample().coord
    sample = inject(
        population(min(arguments.number, 2000), arguments.seed + 8000),
        ymap,
        exclude=known,
        radius=45 * u.arcmin,
        cosmology=COSMOLOGY,
        seed=arguments.seed,
    )
    sample.table["depth"] = np.ones(len(sample))
    total = NoiseModel.planck("total", depth=None)
    for depth in (1.0, 0.92):
        parts = [
            (densities(networks, sample, total, np.full(len(sample), depth)), *truth_of(sample),
             np.full(len(sample), depth))
        ]  # fmt: skip
        line(f"injected into the Coma field, depth {depth}", parts)


def real(arguments, networks):
    """The clusters of the Coma field beside MSZ, the published networks and the posterior."""
    from szmass.catalogs import DeAndres2022Catalog
    from szmass.maps import Cutout, CutoutStack
    from szmass.results import MassFlag

    folder = Path(arguments.data)
    ymap, catalog = coma_field(folder)
    sample = catalog.sample(redshift=(0, 1))
    sample.attach_cutouts(ymap)
    sample = sample[sample.cutouts.complete]
    cnn = CNNMass(weights=arguments.networks)
    published = DeAndres2022Catalog.read(folder / "deepplanck" / "DeepPlanck.csv")
    theirs = {row["name"]: row for row in published.table}
    exact = LikelihoodMass(one_minus_b=0.8)
    masses = {"cnn": cnn.predict(sample), "likelihood": exact.predict(sample)}
    msz = sample.quantity("msz").value
    coma = sample.coord.separation(sample["PSZ2 G057.80+88.00"].coord) < 60 * u.arcmin
    ratio = np.log(masses["cnn"]["mass"].value * 0.8 / msz)
    print("  masses in 1e14 Msun: MSZ / 0.8, published networks, likelihood, cnn")
    for i, name in enumerate(sample.names):
        row = [masses[m][i] for m in ("likelihood", "cnn")]
        cells = [f"{r['mass'].value / 1e14:6.2f} -{r['mass_errn'].value / 1e14:.2f} "
                 f"+{r['mass_errp'].value / 1e14:.2f}" for r in row]  # fmt: skip
        other = theirs[name]["cnn_mass"].value / 1e14 if name in theirs else np.nan
        print(
            f"  {name} z = {sample.redshift[i]:.3f}: {msz[i] / 0.8e14:6.2f} {other:6.2f} "
            f"{cells[0]} {cells[1]} {MassFlag.describe(row[1]['flag'])}"
        )
    print(f"  ln(M_cnn x 0.8 / MSZ): median of the {np.sum(~coma)} outside Coma "
          f"{np.median(ratio[~coma]):+.3f}, of all {np.median(ratio):+.3f}")  # fmt: skip
    turned, upright = [], sample.cutouts.data.copy()
    for k in range(8):
        maps = upright.swapaxes(1, 2) if k & 4 else upright
        sample.cutouts.data[:] = maps[:, :: -1 if k & 1 else 1, :: -1 if k & 2 else 1]
        turned.append(np.log10(cnn.predict(sample)["mass"].value))
    one = Cutout.read(folder / "deepplanck" / "PSZ2G359.07-32.12.fits")
    alone = catalog.sample(redshift=(0, 1))
    alone = alone[[list(alone.names).index("PSZ2 G359.07-32.12")]]
    alone.cutouts = CutoutStack.from_cutouts([one])
    for estimator in (cnn, LikelihoodMass(one_minus_b=0.8)):
        row = estimator.predict(alone)[0]
        print(
            f"  published cutout of {alone.names[0]}, MSZ / 0.8 = "
            f"{alone.quantity('msz')[0].value / 0.8e14:.2f}: {estimator.tag} "
            f"{row['mass'].value / 1e14:.2f} -{row['mass_errn'].value / 1e14:.2f} "
            f"+{row['mass_errp'].value / 1e14:.2f} {MassFlag.describe(row['flag'])}"
        )
    print(f"  dihedral scatter: {np.std(turned, axis=0).max():.1e} dex at most")


def speed(arguments, networks):
    """1094 cutouts through the whole ensemble, from its file on."""
    sample = next(mocks(1094, "total", seed=arguments.seed))
    noise = NoiseModel.planck("total", depth=None)
    for i in range(3):
        start = time.perf_counter()
        fresh = load_networks(arguments.networks)
        loaded = time.perf_counter()
        for _ in range(2):
            begun = time.perf_counter()
            densities(fresh, sample, noise)
            print(f"  {time.perf_counter() - begun:.2f} s for {len(sample)} cutouts", end="")
        print(f"; loading {loaded - start:.2f} s (round {i + 1})")


def efficiency(arguments, _):
    """A network trained on mocks that follow the exact posterior's assumptions, and it."""
    networks = load_networks(arguments.gaussian)
    noise = NoiseModel.planck("total", depth=None)
    exact = LikelihoodMass(
        noise=noise,
        relation="arnaud2010",
        one_minus_b=0.8,
        cosmology=COSMOLOGY,
        sigma_lny=0.1,
        centring=CENTRING,
        prior="flat",
        log10_mass=networks.log10_mass,
    )
    parts, limit, snr = [], [], []
    options = {"model": "a10-spheres", "environment": False, "seed": arguments.seed + 3000}
    for sample in mocks(arguments.number, "total", **options):
        parts += weigh(networks, [sample], noise)
        limit.append(np.log10(exact.predict_posterior(sample).mean().value) - truth_of(sample)[0])
        snr.append(expected_snr(sample, noise))
    found, limit, snr = Weighed(parts), np.concatenate(limit), np.concatenate(snr)
    for low, high in [(0, 1), *pairwise(BINS)]:
        for word, seen in (("all", snr > -1), ("S/N > 4.5", snr > 4.5)):
            inside = found.bin(low, high) & seen
            best, own = (np.sqrt(np.mean(e[inside] ** 2)) for e in (limit, found.error))
            print(
                f"  z ({low}, {high}], {word}, n = {inside.sum()}: rmse {own:.4f}, "
                f"limit {best:.4f} dex, efficiency {best / own:.3f}"
            )


def architectures(arguments, networks):
    """The published architecture, trained on the same mocks for as long."""
    binned = load_binned(arguments.published)
    own, other, redshift = [], [], []
    for k, kind in enumerate(("total", "instrument")):
        noise = NoiseModel.planck(kind, depth=None)
        samples = mocks(
            arguments.number // 2, kind, seed=arguments.seed + 9000 + 1000 * k, depth=(0.65, 1.55)
        )
        for sample in samples:
            truth, z = truth_of(sample)
            logs = densities(networks, sample, noise)[1]
            p = np.exp(logs)
            own.append(p @ networks.log10_mass / p.sum(axis=1) - truth)
            other.append(binned.log10_mass(sample.cutouts.data, z) - truth)
            redshift.append(z)
    own, other, redshift = map(np.concatenate, (own, other, redshift))
    for low, high in [(0, 1), *pairwise(BINS)]:
        inside = (redshift > low) & (redshift <= high)
        a, b = (np.sqrt(np.mean(e[inside] ** 2)) for e in (own, other))
        print(
            f"  z ({low}, {high}] n = {inside.sum()}: cnn {a:.4f}, published architecture {b:.4f}, "
            f"ratio {a / b:.3f}"
        )


PARTS = (
    domain,
    told,
    exchange,
    sampling,
    outside,
    spectra,
    errors,
    estimators,
    variants,
    real,
    speed,
    efficiency,
    architectures,
)
PARTS = {function.__name__: function for function in PARTS}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--networks", help="folder of networks; by default those that ship")
    parser.add_argument("--number", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=SEED, help="of the clusters; not the recipe's")
    parser.add_argument("--data", help="folder with milca_coma and psz2")
    parser.add_argument("--gaussian")
    parser.add_argument("--published")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", UnweighedClustersWarning)
    networks = None if arguments.part == "efficiency" else load_networks(arguments.networks)
    PARTS[arguments.part](arguments, networks)


if __name__ == "__main__":
    main()
