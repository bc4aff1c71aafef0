"""Fields of simulated clusters beside what they are made to hold, and their speed.

    python benchmarks/fields.py DATA [mass] [gas] [density] [xray] [speed]

DATA is the folder with the published tables (see the development guide); only ``gas`` reads it.
"""

import csv
import resource
import sys
import time
from pathlib import Path

import astropy.units as u
import numpy as np

from szmass.maps import CutoutGeometry
from szmass.physics import CoolingFunction, get_cosmology, get_gas_density_profile
from szmass.physics.cosmology import ARCMIN_PER_RADIAN, angular_diameter_distance
from szmass.physics.gas import IONS
from szmass.physics.templates import X_NODES
from szmass.simulations import (
    CLUSTER_MODELS,
    FieldSet,
    MassField,
    Observation,
    XRayField,
    draw_clusters,
    draw_flat,
    from_masses,
    iter_simulate,
    simulate,
)
from szmass.simulations.bodies.matter import bound_radii, nfw_mass

COSMOLOGY = get_cosmology("PSZ2")
SPHERES = CLUSTER_MODELS["a10"].smooth()
OPTIONS = {"cosmology": "PSZ2", "seed": 1}


def scene(mass, redshift, model="a10", seed=1):
    """Clusters as the fields see them, without a grid."""
    model = CLUSTER_MODELS[model] if isinstance(model, str) else model
    sample = from_masses(np.atleast_1d(mass) * u.solMass, redshift)
    clusters = draw_clusters(sample, model, cosmology=COSMOLOGY, seed=seed)
    nothing = dict.fromkeys(("geometry", "window", "rotation", "shift"))
    return FieldSet(clusters=clusters, seed=seed, model=model, cosmology=COSMOLOGY, **nothing)


def fine(beam, pixel, n):
    """Sharp observation of a small field."""
    geometry = CutoutGeometry(shape=(n, n), pixel_scale=pixel * u.arcmin)
    return Observation(name="fine", beam=beam * u.arcmin, geometry=geometry)


def points(matter, rng, n=400_000):
    """Places [R500] and masses of random points of the bodies of one cluster."""
    places, masses = [], []

    def cloud(mass, radius, axes, place):
        direction = rng.standard_normal((n, 3))
        direction *= (radius / np.linalg.norm(direction, axis=1))[:, np.newaxis]
        places.append(direction * axes + place)
        masses.append(np.full(n, mass / n))

    table = np.linspace(0, 5, 20001)
    held = nfw_mass(matter.c500[0] * table)
    theta = matter.theta500[0]
    radius = np.interp(rng.random(n) * held[-1], held, table)
    cloud(matter.smooth[0], radius, matter.axes[0], 0.0)
    for k in np.flatnonzero(np.isfinite(matter.bound[0])):
        size = matter.size[0, k] / theta
        place = matter.place[0, k] / theta
        cloud(matter.bound[0, k], size * bound_radii(rng.random(n)), 1.0, place)
    return np.concatenate(places), np.concatenate(masses)


def in_cylinder(stack, theta, area):
    """Mass within a circle of each map, with the shares of pixels on its edge."""
    ny, nx = stack.data.shape[1:]
    pixel = stack.geometry.pixel_scale.to_value("arcmin")
    sub = (np.arange(8) + 0.5) / 8 - 0.5
    y = ((np.arange(ny) - (ny - 1) / 2)[:, None] + sub).ravel() * pixel
    x = ((np.arange(nx) - (nx - 1) / 2)[:, None] + sub).ravel() * pixel
    inside = (x**2 + y[:, None] ** 2 < theta**2).reshape(ny, 8, nx, 8).mean(axis=(1, 3))
    return np.einsum("nij,ij->n", stack.data.astype(float), inside) * pixel**2 * area


def mass(data):
    """Projected masses."""
    redshift, m500 = 0.2, 8e14
    area = (angular_diameter_distance(redshift, COSMOLOGY) / ARCMIN_PER_RADIAN) ** 2
    field = MassField(sigma_lnc=0.0)
    sharp = fine(0.12, 0.05, 280)
    for model, views, seen in (
        (SPHERES, 1, sharp),
        (CLUSTER_MODELS["a10"], 200, fine(0.5, 0.2, 72)),
    ):
        for seed in (1, 2, 3):
            fields = scene(m500, redshift, model, seed)
            matter = field.matter(fields)
            rng = np.random.default_rng(seed)
            place, weight = points(matter, rng)
            r = np.linalg.norm(place, axis=1)
            share = np.where(r > 1, 1 - np.sqrt(1 - np.minimum(1, 1 / np.maximum(r, 1)) ** 2), 1)
            expected, sphere = np.sum(weight * share), weight[r < 1].sum()
            sample = from_masses([m500] * u.solMass, redshift)
            mocks = simulate(
                sample, seen, model=model, cosmology="PSZ2", seed=seed, projections=views,
                fields=[field],
            )  # fmt: skip
            found = in_cylinder(mocks.fields["mass"], matter.theta500[0], area)
            print(
                f"{model.name}, seed {seed}: M500 of points {sphere / m500 - 1:+.4f}; cylinder, "
                f"mean of {views} over that of the body {found.mean() / expected - 1:+.4f} "
                f"(std {found.std() / expected:.3f})"
            )
    c = field.matter(scene(m500, redshift, SPHERES)).c500[0]
    x = (np.arange(200_000) + 0.5) / 40_000
    shells = x / (1 + c * x) ** 2 * (1 - np.sqrt(1 - np.minimum(1, 1 / np.maximum(x, 1)) ** 2))
    cylinder = m500 * c**2 * shells.sum() / 40_000 / nfw_mass(c)
    mocks = simulate(
        from_masses([m500] * u.solMass, redshift), sharp, model=SPHERES, fields=[field], **OPTIONS
    )
    theta = field.matter(scene(m500, redshift, SPHERES)).theta500[0]
    found = in_cylinder(mocks.fields["mass"], theta, area)[0]
    print(
        f"sphere, cylinder of R500 over the integral of NFW to 5 R500: {found / cylinder - 1:+.5f}"
    )


def gas(data):
    """Gas mass, temperature and luminosity of simulated gas beside the tables of simulations."""
    snapshots = {
        "tng": ("TNG300_1_plus_TNG_Cluster", {0.0: "snap99", 0.5: "snap67"}, ""),
        "flamingo": ("FLAMINGO_L1000N3600", {0.0: "snap0078", 0.5: "snap0068"}, "_wo_recent_AGN"),
    }
    folder = data / "halos" / "mpq_tng_flamingo"
    kelvin = 8.617333e-8
    for name, (run, by_redshift, without) in snapshots.items():
        for redshift, snapshot in by_redshift.items():
            with open(folder / f"gas_scaling_parameters_{run}_{snapshot}.csv") as file:
                rows = list(csv.DictReader(file))
            at = np.array([float(row["M_500c"]) for row in rows])
            keep = (at >= 14) & (at <= 15)

            def published(key, what, rows=rows):
                return np.array([float(row[f"{key}_500c_{what}"]) for row in rows])

            for key, column, factor in (
                ("M_hot_gas", "mgas500", 1.0),
                (f"T_mw_hot_gas{without}", "temperature500", kelvin),
                (f"L_X_ROSAT_obs{without}", "lx500", 1.0),
            ):
                norm = np.log(10) * published(key, "norm")
                found = []
                for log_m in (14.0, 14.5, at.max() - 0.05):
                    fields = scene(np.full(4000, 10**log_m), max(redshift, 0.01))
                    found.append(_measured(fields, name)[column])
                logs = np.log(np.array(found)) - np.log(factor)
                nodes = np.array([14.0, 14.5, at.max() - 0.05])
                expected = np.interp(nodes, at, norm)
                offset = logs.mean(axis=1) - expected
                slope = np.polyfit(nodes, logs.mean(axis=1), 1)[0] / np.log(10)
                table_slope = np.polyfit(at[keep], norm[keep], 1)[0] / np.log(10)
                scatter = logs.std(axis=1) - np.interp(nodes, at, published(key, "scatter"))
                print(
                    f"{name:8s} z={redshift} {column:14s} ln offset at 14, 14.5, top "
                    f"{offset.round(3)}, slope {slope:.3f} (table {table_slope:.3f}), scatter "
                    f"{logs.std(axis=1).round(3)} (table {(logs.std(axis=1) - scatter).round(3)})"
                )


class _Nowhere:
    """Grid that paints nothing."""

    @staticmethod
    def table_length(size, slack=1.0):
        return 640


def _measured(fields, baryons):
    fields.__dict__.update(
        geometry=CutoutGeometry((1, 1)), shift=np.zeros((len(fields.clusters), 0, 2)),
        rotation=np.zeros((len(fields.clusters), 0, 3, 3)), grid=_Nowhere,
    )  # fmt: skip
    _, columns = XRayField(baryons=baryons).paint(fields)
    return {name: getattr(values, "value", values) for name, values in columns.items()}


def density(data):
    """Mean density of drawn gas beside the published profile."""
    at = np.array([0.02, 0.05, 0.1, 0.3, 0.5, 1.0, 1.5])
    for label, model in (
        ("all", CLUSTER_MODELS["a10"]),
        ("without substructure", CLUSTER_MODELS["a10"].off("subhaloes", "merging")),
    ):
        fields = scene(np.full(20_000, 5e14), 0.1, model)
        drawn = XRayField(baryons=None).gas(fields).density
        scaled = fields.clusters["one_minus_b"] * fields.clusters["mass_true"]
        profile = get_gas_density_profile("pratt2022")
        amplitude = profile.amplitude(scaled.to_value("solMass"), 0.1, COSMOLOGY)
        logs = np.log(drawn / (amplitude[:, np.newaxis] * profile.shape(X_NODES)))
        mean = np.interp(at, X_NODES, logs.mean(axis=0))
        scatter = np.interp(at, X_NODES, logs.std(axis=0))
        print(
            f"{label}: x = {at}\n    mean ln ratio {mean.round(4)}\n    scatter {scatter.round(3)}"
        )


def xray(data):
    """Surface brightness of a sphere beside an integral along the line of sight."""
    redshift = 0.1
    field = XRayField(baryons="tng")
    for beam, pixel, n in ((5 / 60, 1 / 60, 256), (0.33, 0.066, 256), (10.0, 1.7, 96)):
        fields = scene(6e14, redshift, SPHERES)
        gas_ = field.gas(fields)
        theta = fields.clusters["theta500_true"].to_value("arcmin")[0]
        kt = np.clip(gas_.temperature[0], 0.05, 50)
        emission = IONS * gas_.density[0] ** 2 * CoolingFunction().emission(kt, redshift)
        logs = np.log(X_NODES), np.log(emission)
        step = gas_.radius[0] * 3.0857e24 / (4 * np.pi * (1 + redshift) ** 4)
        per_arcmin2 = (1 / ARCMIN_PER_RADIAN) ** 2

        def along(x, logs=logs):
            t = np.linspace(0, 1, 20001)[1:] ** 3 * np.sqrt(25 - x**2)
            r = np.hypot(x, t)
            return 2 * np.trapezoid(np.exp(np.interp(np.log(r), *logs)), t)

        sigma = beam / np.sqrt(8 * np.log(2)) / theta
        radii = np.concatenate([np.geomspace(1e-5, 5, 700)])
        surface = np.array([along(x) for x in radii]) * step * per_arcmin2
        mocks = simulate(
            from_masses([6e14] * u.solMass, redshift), fine(beam, pixel, n), model=SPHERES,
            fields=[field], **OPTIONS,
        )  # fmt: skip
        image = mocks.fields["xray"].data[0]
        from scipy.special import i0e

        worst = []
        # Diagonal pixels from the middle outwards.
        for k in (n // 2, n // 2 + n // 16, n // 2 + n // 8, n // 2 + n // 4):
            x = np.sqrt(2) * (k - (n - 1) / 2) * pixel / theta
            if x > 3:
                continue
            kernel = np.exp(-0.5 * ((radii - x) / sigma) ** 2) * i0e(x * radii / sigma**2)
            expected = np.trapezoid(surface * kernel * radii / sigma**2, radii)
            worst.append((round(float(x), 3), round(float(image[k, k] / expected - 1), 5)))
        print(f"beam {beam:.3f} arcmin, theta500 {theta:.2f}: x, map over integral - 1: {worst}")


def speed(data):
    """Clusters per second of one process, with and without fields, and memory."""
    geometry = CutoutGeometry(shape=(96, 96), pixel_scale=0.05 * u.arcmin)
    sharp = Observation(name="20 arcsec", beam=20 * u.arcsec, geometry=geometry)
    sample = draw_flat(256, seed=1, redshift=np.random.default_rng(1).uniform(0.05, 0.8, 400))
    fields = ["mass", "xray", "galaxies"]
    for observation, n in (("clean", 256), (sharp, 48)):
        times = {}
        for label, asked in (("y", None), ("y and 3 fields", fields)):
            for _ in range(4):
                start = time.process_time()
                for _part in iter_simulate(sample[:n], observation, fields=asked, **OPTIONS):
                    pass
                times.setdefault(label, []).append((time.process_time() - start) / n)
        best = {label: min(values) for label, values in times.items()}
        name = observation if isinstance(observation, str) else observation.name
        print(
            f"{name}: " + ", ".join(f"{label} {1 / t:.0f} / s" for label, t in best.items())
            + f" per core; ratio {best['y and 3 fields'] / best['y']:.2f}; peak memory "
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB"
        )  # fmt: skip


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    parts = {f.__name__: f for f in (mass, gas, density, xray, speed)}
    for part in sys.argv[2:] or parts:
        parts[part](folder)
