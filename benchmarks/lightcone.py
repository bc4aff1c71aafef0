"""Numbers of light cones: counts beside surveys, the power spectrum of painted skies, time.

SZ counts above S/N 6 beside Planck's 438 and the redshifts of PSZ2, X-ray counts beside the 447
clusters of REFLEX, C_l of skies beside the integral of the halo model by code of its own, the
cooling function beside a table, and the time for a sky of all haloes above 1e14 Msun.

    python benchmarks/lightcone.py --data ../shared/data sz xray power cooling time
"""

import argparse
import dataclasses
import itertools
import time
from pathlib import Path

import astropy.constants as const
import astropy.units as u
import healpy
import numpy as np
from astropy.cosmology import FlatLambdaCDM
from astropy.io import fits
from astropy.table import Table
from scipy.integrate import trapezoid
from scipy.stats import chi2

from szmass.baryons import draw_halos, make_lightcone, redshift_counts
from szmass.physics import CoolingFunction, get_baryon_model, get_cosmology
from szmass.physics.mass_function import FULL_SKY, sky_density
from szmass.simulations import SZSelection, get_cluster_model

PLANCK = 438
REFLEX, REFLEX_AREA = 447, 4.24 * u.sr
FLUX = 3e-12 * u.erg / u.s / u.cm**2
BINS = np.array([0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 1.0])
# With Y500 of their own; all of them have L_X, as the published relation has.
PHYSICS = ("tng", "flamingo", "flamingo-all-gas")
PLANCK2018 = FlatLambdaCDM(
    H0=67.36, Om0=0.3153, Ob0=0.0493, Tcmb0=2.7255, name="Planck 2018",
    meta={"sigma8": 0.8111, "n": 0.9649},
)  # fmt: skip
MULTIPOLES = (300, 1000, 3000)


def psz2_redshifts(data):
    """Redshifts of PSZ2 clusters above S/N 6 in the cosmology samples."""
    table = fits.getdata(data / "psz2" / "HFI_PCCS_SZ-union_R2.08.fits")
    use = table["COSMO"] & (table["SNR"] > 6) & (table["REDSHIFT"] > 0)
    return table["REDSHIFT"][use]


def expected_by_redshift(selection, one_minus_b, edges=BINS):
    """Planck's relation and selection over the mass function, in bins of redshift."""
    ends = np.where(edges == 0, 0.005, edges)
    options = {"cosmology": PLANCK2018, "one_minus_b": one_minus_b}
    return np.array(
        [
            selection.expected_counts(redshift=(low, high), **options)
            for low, high in itertools.pairwise(ends)
        ]
    )


def shape_chi2(observed, expected, sample):
    """chi2 of numbers against fractions, with Poisson and sample variance, and its probability.

    ``sample`` is the standard deviation that clustering adds to each bin, over its number.
    """
    expected = expected / expected.sum() * observed.sum()
    value = np.sum((observed - expected) ** 2 / (expected + (sample * expected) ** 2))
    return value, chi2.sf(value, len(observed) - 1)


def sz(data):
    """SZ counts above S/N 6, by Planck's relation and by the physics."""
    selection = SZSelection(data / "planck_mmf_noise", q_cut=6)
    share = selection.sky_fraction
    redshift = psz2_redshifts(data)
    observed = np.histogram(redshift, BINS)[0]
    print(f"PSZ2, S/N > 6, COSMO, with redshift: {len(redshift)}; by bin {observed}")
    print(f"PSZ2: fractions {np.round(observed / observed.sum(), 3)}")
    found, sample = {}, None
    for name in PHYSICS:
        cone = make_lightcone(name, cosmology=PLANCK2018, seed=1, redshift=(0.005, 1.2))
        seen = cone.observed_snr(selection) > 6
        counts = redshift_counts(cone, BINS, where=seen)
        total = redshift_counts(cone, [0, 2], where=seen)[0]
        found[name] = counts, total
        # Of the whole sky's; Planck's has 0.62 of it.
        sample = np.asarray(counts["n_err_sample"] / np.maximum(counts["n"], 1)) / np.sqrt(share)
    print(f"sample variance by bin, over the number: {np.round(sample, 3)}")
    for one_minus_b in (0.62, 0.70, 0.80, 1.0):
        numbers = expected_by_redshift(selection, one_minus_b)
        plain, value = (shape_chi2(observed, numbers, x) for x in (0, sample))
        print(
            f"1-b = {one_minus_b:.2f}: {numbers.sum():.0f} beside {PLANCK}; fractions "
            f"{np.round(numbers / numbers.sum(), 3)}; chi2 of {len(BINS) - 2} degrees of freedom: "
            f"Poisson {plain[0]:.1f} (p = {plain[1]:.2g}), with sample variance {value[0]:.1f} "
            f"(p = {value[1]:.2g})"
        )
    for name, (counts, total) in found.items():
        plain, value = (shape_chi2(observed, counts["n"], x) for x in (0, sample))
        print(
            f"{name}: {total['n'] * share:.0f} +- {total['n_err'] * np.sqrt(share):.0f} with its "
            f"own Y500; chi2 of the shape {plain[0]:.1f}, with sample variance {value[0]:.1f} "
            f"(p = {value[1]:.2g})"
        )


def xray(data):
    """X-ray counts above the limit of REFLEX, by physics and cosmology."""
    low = PLANCK2018.clone(name="sigma8 = 0.75", meta={"sigma8": 0.75, "n": 0.9649})
    share = (REFLEX_AREA / (FULL_SKY * u.deg**2)).to_value("")
    for cosmology in (PLANCK2018, low):
        halos = draw_halos(
            mass=(1e13, 5e15) * u.solMass, redshift=(0.005, 0.6), cosmology=cosmology, seed=1
        )
        for name in (*PHYSICS, "bulbul2019"):
            cone = make_lightcone(name, halos, cosmology=cosmology, seed=1)
            bright = cone.above_flux(FLUX).table
            row = redshift_counts(cone, [0, 1], where=cone.table["flux"] > FLUX)[0]
            mass = bright["m500c"].to_value("solMass")
            kt = bright["t_sl" if "t_sl" in bright.colnames else "t_mw"].to_value("keV")
            # If all lines are inside 0.5 to 2 keV the band is wider by less: see cooling().
            limit = FLUX * 1.74 / 1.55
            fewer = np.count_nonzero(bright["flux"] > limit)
            print(
                f"{cosmology.name}, {name}: {row['n'] * share:.0f} +- "
                f"{row['n_err'] * np.sqrt(share):.0f} beside {REFLEX} ({fewer * share:.0f} with "
                f"least flux outside 0.5-2 keV); median z {np.median(bright['redshift']):.3f}, "
                f"M500c {np.median(mass):.2g}, kT {np.median(kt):.1f}; extrapolated "
                f"{np.mean(bright['flag'] > 0):.3f}"
            )
    path = data / "crossmatch" / "mcxc.dat"
    table = Table.read(path, format="ascii.cds", readme=str(data / "crossmatch" / "mcxc_ReadMe"))
    z, l500 = np.asarray(table["z"]), np.asarray(table["L500"]) * 1e44 * u.erg / u.s
    distance = get_cosmology("PSZ2").luminosity_distance(z)
    flux = (l500 / (4 * np.pi * distance**2)).to_value(FLUX.unit)
    area = (table["DEdeg"] < 2.5) & (np.abs(table["GLAT"]) > 20)
    found = np.asarray(area & np.isin(table["Cat"], ["NORAS/REFLEX"]) & (flux > FLUX.value))
    print(
        f"MCXC, entries of REFLEX (declination below 2.5, latitude above 20 deg): {found.sum()} "
        "above the limit with L500 / (4 pi D_L^2) in 0.1-2.4 keV of the rest frame; median z "
        f"{np.median(z[found]):.3f}, M500 {np.median(table['M500'][found]):.2f}e14 Msun"
    )


def profile_transform(x):
    """3-D transform of the universal profile out to 5 R500 over its integral out to R500."""
    r = (np.arange(40000) + 0.5) * 5 / 40000
    c, gamma, alpha, beta = 1.177, 0.3081, 1.0510, 5.4905
    p = (c * r) ** -gamma * (1 + (c * r) ** alpha) ** ((gamma - beta) / alpha) * r**2
    inside = p[r < 1].sum()
    return np.array([(p * np.sinc(k * r / np.pi)).sum() for k in x]) / inside


def halo_model(ell, model, mass, redshift, cosmology):
    """One-halo C_l: sum over haloes of the squares of their transforms, with the scatter of Y."""
    log_m = np.linspace(*np.log(mass), 161)
    z = np.geomspace(*redshift, 161)
    density = sky_density(log_m, z, cosmology) / (4 * np.pi)
    grid_z, grid_m = np.meshgrid(z, np.exp(log_m), indexing="ij")
    features = {"m500c": grid_m.ravel(), "redshift": grid_z.ravel()}
    mean, covariance = model.moments(features)
    i = model.properties.index("y500")
    square = np.exp(2 * mean[:, i] + 2 * covariance[:, i, i]).reshape(grid_m.shape)
    distance = cosmology.angular_diameter_distance(z).to_value("Mpc")[:, np.newaxis]
    critical = 3 * cosmology.H(z) ** 2 / (8 * np.pi * const.G)
    critical = critical.to_value("solMass / Mpc3")[:, np.newaxis]
    theta = np.cbrt(3 * grid_m / (4 * np.pi * 500 * critical)) / distance
    x = np.concatenate([[0], np.geomspace(1e-3, 400, 600)])
    shape = profile_transform(x)
    result = []
    for one in ell:
        transform = np.interp(one * theta, x, shape)
        integrand = density * square / distance**4 * transform**2
        result.append(trapezoid(trapezoid(integrand, log_m, axis=1), z))
    return np.array(result)


def square_pixel(phase):
    """Power that the mean over a square pixel leaves, over all directions of a wave."""
    angle = (np.arange(180) + 0.5) * np.pi / 360
    x = phase[:, np.newaxis] / (2 * np.pi) * np.cos(angle)
    y = phase[:, np.newaxis] / (2 * np.pi) * np.sin(angle)
    return np.mean((np.sinc(x) * np.sinc(y)) ** 2, axis=1)


def power(data, skies=24, nside=2048, beam=2.0):
    """C_l of painted skies over the integral of the halo model."""
    mass, redshift = (3e14, 5e15) * u.solMass, (0.05, 1.0)
    cosmology, model = get_cosmology("Planck18"), get_baryon_model("flamingo")
    gas = get_cluster_model("a10").smooth()
    width = 0.1
    bands = [np.arange(int(c * (1 - width)), int(c * (1 + width)) + 1) for c in MULTIPOLES]
    expected = [halo_model(ell, model, mass.value, redshift, cosmology) for ell in bands]
    last = int(bands[-1][-1])
    ell = np.arange(last + 1)
    sigma = np.radians(beam / 60) / np.sqrt(8 * np.log(2))
    window = np.exp(-ell * (ell + 1) * sigma**2) * square_pixel(ell * healpy.nside2resol(nside))
    ratios = []
    for seed in range(skies):
        cone = make_lightcone(
            model, gas=gas, mass=mass, redshift=redshift, cosmology=cosmology, seed=seed
        )
        ymap = cone.ymap(nside=nside, beam=f"{beam} arcmin")
        sky = ymap.values(np.arange(12 * nside**2)).astype(float)
        found = healpy.anafast(sky, lmax=last, iter=1) / window
        ratios.append(
            [np.mean(found[b]) / np.mean(e) for b, e in zip(bands, expected, strict=True)]
        )
        mean = np.mean(ratios, axis=0)
        error = np.std(ratios, axis=0) / np.sqrt(max(seed, 1))
        text = ", ".join(
            f"l = {c}: {m:.3f} +- {e:.3f}" for c, m, e in zip(MULTIPOLES, mean, error, strict=True)
        )
        print(
            f"{seed + 1} skies of {len(cone)} haloes: C_l over the halo model: {text}", flush=True
        )


def cooling_table(data):
    """Temperature and Lambda at 0.3 and 0 solar of the table, which has one per metallicity."""
    with fits.open(data / "halos" / "misc" / "hydromass_coolfunc_table.fits") as hdus:
        tables = [np.array(hdus[f"COOLFUNC_Z{z}"].data.tolist()) for z in ("0.30", "0.00")]
    return tables[0][:, 0], tables[0][:, 1], tables[1][:, 1]


def cooling(data):
    """Closed form of the cooling function beside a table by metallicity, and what lines may do."""
    kt, rate, without = cooling_table(data)
    every = CoolingFunction(band=(1e-5, 1e3) * u.keV)
    form = every.emission(kt, 0.0)
    narrow, wide = CoolingFunction(), CoolingFunction(band=(0.1, 2.4) * u.keV)
    inside = narrow.emission(kt, 0.0) / form
    plain = wide.emission(kt, 0.0) / narrow.emission(kt, 0.0)
    lines = rate - without
    bound = (plain * without * inside + lines) / (without * inside + lines)
    for t in (0.7, 1, 1.5, 2, 3, 5, 8, 12):
        i = np.argmin(np.abs(kt - t))
        print(
            f"kT = {kt[i]:.2f} keV: closed form over table {form[i] / rate[i]:.3f}; lines have "
            f"{lines[i] / rate[i]:.3f} of the table; 0.1-2.4 over 0.5-2 keV: {plain[i]:.3f}, with "
            f"all lines inside 0.5-2 keV {bound[i]:.3f}"
        )


def timing(data, workers=2):
    """Time of the sky of all haloes above 1e14 Msun."""
    start = time.perf_counter()
    cone = make_lightcone("flamingo", cosmology="Planck18", seed=1, redshift=(0.01, 1.5))
    print(f"{len(cone)} haloes with gas: {time.perf_counter() - start:.1f} s")
    for gas in ("a10-spheres", get_cluster_model("a10").smooth()):
        start = time.perf_counter()
        trial = dataclasses.replace(cone, gas=get_cluster_model(gas))
        trial.ymap(nside=2048, workers=workers)
        print(
            f"nside 2048, {trial.gas.name}, {workers} workers: {time.perf_counter() - start:.0f} s"
        )


PARTS = {"sz": sz, "xray": xray, "power": power, "cooling": cooling, "time": timing}


def main():
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    for part in options.parts:
        PARTS[part](options.data)


if __name__ == "__main__":
    main()
