"""Masses and radii that no haloes have, as where a unit or h was mistaken."""

import numpy as np

from szmass.baryons._columns import MASSES, RADII
from szmass.exceptions import InvalidInputError

_LOOKED_AT = 10_000  # rows
# Masses of haloes [Msun].
_LIGHTEST, _HEAVIEST = 1e5, 1e17
# Critical density today [h2 Msun / Mpc3].
_CRITICAL = 2.77536627e11
_SAME_H = 0.15  # relative, of masses and radii that differ by E(z) where that is not known
_USUAL_H = (0.55, 0.85)


def refuse_implausible(table, reading):
    """Raise `InvalidInputError` where the masses of most haloes, or their radii, cannot be.

    ``reading`` is the `Reading` that made the table, and says what its columns were.
    """
    some = table[:: max(1, len(table) // _LOOKED_AT)]
    numbers = {name: some[name].value for name in (*MASSES, *RADII) if name in some.colnames}
    masses = [name for name in MASSES if name in numbers]
    for name in masses:
        _check_mass(name, _median(numbers[name]), reading)
    for name in masses[1:]:
        ratio = _median(numbers[name] / numbers[masses[0]])
        if ratio <= 0.05 or ratio >= 20:
            raise InvalidInputError(
                f"'{name}' is {ratio:.3g} times '{masses[0]}' in the median of {reading.label}: "
                f"the columns {reading.columns[name]!r} and {reading.columns[masses[0]]!r} have "
                f"different units. Say them, for instance units={{'{name}': '1e10 solMass/h'}}."
            )
    for radius, mass in (("r200c", "m200c"), ("r500c", "m500c")):
        if radius in numbers and mass in numbers:
            _check_density(numbers, some["redshift"], mass, radius, reading)


def _check_mass(name, mass, reading):
    if not (mass <= _LIGHTEST or mass >= _HEAVIEST):  # NaN where nothing is known
        return
    about = f"h = {reading.h:g}" if reading.h is not None else "no h"
    unit = reading.units[name]
    raise InvalidInputError(
        f"The column {reading.columns[name]!r} for '{name}' in {reading.label} gives masses of "
        f"{mass:.3g} solMass in the median, taken as {unit.unit}{'/h' if unit.per_h else ''} with "
        f"{about}: no halo has that. Say what it is in, for instance "
        f"units={{'{name}': '1e10 solMass/h'}}, or 'dex(solMass/h)' for a logarithm, and look at h."
    )


def _check_density(numbers, redshift, mass, radius, reading):
    """Compare the density of halos with that of the definition, which tells h."""
    z, overdensity = np.asarray(redshift), MASSES[mass][:-1]
    known = reading.cosmology is not None
    growth = reading.cosmology.efunc(z) ** 2 if known else 0.3 * (1 + z) ** 3 + 0.7
    density = numbers[mass] / (4 / 3 * np.pi * numbers[radius] ** 3) / float(overdensity)
    implied = np.sqrt(_median(density / (_CRITICAL * growth)))
    low, high = _USUAL_H if reading.h is None else reading.h * np.exp([-_SAME_H, _SAME_H])
    if not (implied <= low or implied >= high):  # NaN where nothing is known
        return
    stated = "between 0.55 and 0.85" if reading.h is None else f"{reading.h:g}"
    raise InvalidInputError(
        f"'{mass}' and '{radius}' of {reading.label} agree with a density of {overdensity} times "
        f"the critical one for h = {implied:.3g}, and h is {stated}. A unit with h in it was "
        "perhaps taken for one without, or a comoving radius for a physical one: say "
        f"units={{'{mass}': 'solMass/h', '{radius}': 'kpc/h (comoving)'}}, or what they are in, "
        "and h=..."
    )


def _median(values):
    values = values[np.isfinite(values)]
    return np.median(values) if values.size else np.nan
