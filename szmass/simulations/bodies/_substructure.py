"""Subhaloes and merging companions: number, masses and places, on plain arrays."""

import functools

import numpy as np

#: No cluster gets more; the mean number above the lowest mass ratio is about 5.
MAX_SUBHALOES = 24

#: Subhaloes are even in radius out to here [R500], about the virial radius: as mass in an outer
#: isothermal halo.
RADIUS_MAX = 2.0

# Lowest mass ratio of a subhalo: with (m / M)^1.79 what is below holds less than 0.1 % of Y.
_RATIO_MIN = 0.02
# Range in which a subhalo keeps a share of the gas of a halo of its mass.
_GAS = (0.3, 0.7)
# Mass ratios (even in the logarithm) and distances [R500] of companions in a major merger.
_COMPANION_RATIO, _COMPANION_RADIUS = (0.1, 0.5), (0.3, RADIUS_MAX)


@functools.cache
def _mass_function():
    """Mean number, and ln(ratio) at cumulative shares, of Tinker & Wetzel (2010)."""
    log_ratio = np.linspace(np.log(_RATIO_MIN), 0.0, 400)
    ratio = np.exp(log_ratio)
    density = 0.30 * ratio**-0.7 * np.exp(-9.9 * ratio**2.5)
    steps = 0.5 * (density[1:] + density[:-1]) * np.diff(log_ratio)
    below = np.concatenate([[0.0], np.cumsum(steps)])
    return below[-1], below / below[-1], log_ratio


@functools.cache
def _poisson():
    """Cumulative Poisson probabilities of 0 to MAX_SUBHALOES - 1 subhaloes."""
    from scipy.stats import poisson

    return poisson.cdf(np.arange(MAX_SUBHALOES), _mass_function()[0])


def directions(uniform):
    """Unit vectors, even over the sphere, of two uniform numbers each."""
    cos = 2 * uniform[..., 0] - 1
    sin, angle = np.sqrt(1 - cos**2), 2 * np.pi * uniform[..., 1]
    return np.stack([sin * np.cos(angle), sin * np.sin(angle), cos], axis=-1)


def subhaloes(number, uniform, least=0):
    """Mass ratio, share of gas, place [R500]; NaN where there is none, (N, MAX_SUBHALOES, ...)."""
    _, share, log_ratio = _mass_function()
    ratio = np.exp(np.interp(uniform[..., 0], share, log_ratio))
    gas = _GAS[0] + (_GAS[1] - _GAS[0]) * uniform[..., 1]
    position = RADIUS_MAX * uniform[..., 2:3] * directions(uniform[..., 3:])
    number = np.maximum(np.searchsorted(_poisson(), number), least)
    empty = np.arange(MAX_SUBHALOES) >= number[:, np.newaxis]
    for array in (ratio, gas, position):
        array[empty] = np.nan
    return ratio, gas, position


def subhalo_mean(slope):
    """Mean Y500 of the subhaloes inside R500 over that of the host, for Y ~ M^slope."""
    mean, share, log_ratio = _mass_function()
    weight = np.diff(share)
    ratio = np.exp(slope * log_ratio)
    per_halo = np.sum(weight * 0.5 * (ratio[1:] + ratio[:-1]))
    return mean * per_halo * 0.5 * sum(_GAS) / RADIUS_MAX


def companions(uniform, merging):
    """Mass ratio, shape (N,), and place [R500] of companions; NaN unless ``merging``."""
    low, high = np.log(_COMPANION_RATIO)
    ratio = np.exp(low + (high - low) * uniform[:, 0])
    near, far = _COMPANION_RADIUS
    position = (near + (far - near) * uniform[:, 1:2]) * directions(uniform[:, 2:])
    ratio[~merging] = np.nan
    position[~merging] = np.nan
    return ratio, position


def companion_mean(slope):
    """Mean Y500 of a companion inside R500 over that of the host."""
    low, high = np.log(_COMPANION_RATIO)
    near, far = _COMPANION_RADIUS
    inside = (1.0 - near) / (far - near)
    return inside * (np.exp(slope * high) - np.exp(slope * low)) / (slope * (high - low))
