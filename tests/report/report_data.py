"""Small tables of masses for the tests of reports."""

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from szmass.maps import CutoutStack
from szmass.results import MassEstimates, MassFlag, side_by_side

HOSTILE = [
    "<script>window.hacked=1</script>",
    '"><img src=x onerror="window.hacked=1">',
    "../../etc/passwd",
    "a/b\\c:d*e?",
    "CON",
    "con",
    "Ærø ☉ {{ 7*7 }}",
    "x" * 300,
    "   ",
    "$\\frac$ & co",
    "</title></script><b>bold",
    "PSZ2 G057.80+88.00",
]


def make_table(n=30, names=None, seed=0):
    """Masses by two estimators of clusters with a known truth."""
    rng = np.random.default_rng(seed)
    names = [f"CL {i:04d}" for i in range(n)] if names is None else list(names)
    n = len(names)
    truth = 10 ** rng.uniform(14.3, 15.2, n)
    redshift = rng.uniform(0.02, 0.9, n)
    tables = {}
    for method, ratio, scatter in (("alpha", 0.8, 0.1), ("beta-2", 1.1, 0.2)):
        mass = ratio * truth * np.exp(rng.normal(0, scatter, n))
        estimates = MassEstimates(mass, 0.1 * mass, 0.12 * mass)
        if n > 3:
            estimates.flag[1] = MassFlag.BLENDED
            estimates.flag[2] = MassFlag.NO_CUTOUT | MassFlag.NO_REDSHIFT
            for values in (estimates.mass, estimates.errn, estimates.errp):
                values[2] = np.nan
        tables[method] = estimates.to_table(
            names,
            redshift,
            method,
            {
                "estimator": "AlphaMass(seed=7)",
                "mass_definition": "500c",
                "cosmology": "PSZ2",
                "references": ["2010A&A...517A..92A"],
                "szmass_version": "0.1",
                "simulation_seed": 7,
            },
        )
    table = side_by_side(tables)
    table.add_columns([rng.uniform(0, 360, n) * u.deg, rng.uniform(-80, 80, n) * u.deg],
                      names=["ra", "dec"], indexes=[1, 1])  # fmt: skip
    table["mass_true"] = truth * u.solMass
    table["snr"] = rng.permutation(np.linspace(4.5, 20, n))
    table.meta["sample"] = {"catalog": "mocks", "seed": 11}
    return table


def make_stack(table, rows=None, seed=0):
    """Cutouts of a blob in noise around clusters of a table."""
    rows = np.arange(len(table)) if rows is None else np.asarray(rows)
    rng = np.random.default_rng(seed)
    offset = np.arange(24) - 11.5
    blob = 1e-5 * np.exp(-(offset**2 + offset[:, np.newaxis] ** 2) / 18)
    data = rng.normal(0, 1e-6, (len(rows), 24, 24)) + blob
    footprint = np.ones(data.shape, bool)
    footprint[0, :, :6] = False
    coord = SkyCoord(table["ra"][rows], table["dec"][rows])
    names = [str(table["name"][row]) for row in rows]
    return CutoutStack(
        data, footprint, coord, names=names, beam=10 * u.arcmin, meta={"MAPFILE": "y.fits"}
    )
