"""Families of noise spectra about measured ones, for networks that are told the spectrum."""

import astropy.units as u
import numpy as np

from szmass.maps.noise import NoiseModel

# Weight of one measured spectrum in the geometric mean of two.
_MIX = (-0.2, 1.2)
# Largest change of the slope d ln N_l / d ln l, about this multipole.
_TILT, _PIVOT = 0.5, 500.0
# Excess at large scales, as often as that: multipole where it sets in, and its slope.
_KNEE, _KNEES, _STEEPNESS = 0.4, (50.0, 400.0), (1.0, 3.0)
# White noise, behind the beam or not, as often as that each: log10 of its part of N_l at l = 600,
# and without the beam of what is at l = 300.
_WHITE, _PART, _UNSEEN = 0.25, (-1.5, 0.5), (-2.5, -0.5)
# Depth of all: sigma of Y500 for clusters of this size [arcmin], within a factor of exp(0.25).
_SIZE, _DEPTH = 5.0, 0.25
_LOWEST = 20.0


def family_of(models, number, seed):
    """Give that many noise models: those measured, and others drawn between and about them.

    Each is as deep as the first for clusters of 5 arcmin, within 25 %.
    """
    models = list(models)
    rng = np.random.default_rng(seed)
    drawn = [_drawn(models, rng) for _ in range(number - len(models))]
    return [*models, *drawn]


def _drawn(models, rng):
    first = models[0]
    ell, beam = first.ell, first.beam
    a, b = (models[i] for i in rng.choice(len(models), 2, replace=len(models) < 2))
    mix = rng.uniform(*_MIX)
    logs = [np.log(m.spectrum(ell, deconvolved=True).value) for m in (a, b)]
    log_power = mix * logs[0] + (1 - mix) * logs[1]
    x = np.maximum(ell, _LOWEST)
    log_power = log_power + rng.uniform(-_TILT, _TILT) * np.log(x / _PIVOT)
    if rng.random() < _KNEE:
        log_power += np.log1p((rng.uniform(*_KNEES) / x) ** rng.uniform(*_STEEPNESS))
    window = np.exp(-ell * (ell + 1) * beam.to_value("rad") ** 2 / (8 * np.log(2)))
    power = np.exp(log_power) * window
    where = rng.random()
    white = 10 ** rng.uniform(*_PART) * np.exp(np.interp(600.0, ell, log_power))
    unseen = 10 ** rng.uniform(*_UNSEEN) * np.interp(300.0, ell, power)
    if where < _WHITE:
        power += white * window
    elif where < 2 * _WHITE:
        power += min(white, unseen)
    drawn = NoiseModel(ell, power * u.sr, beam=beam)
    size = _SIZE * u.arcmin
    ratio = (first.sigma_y500(size) / drawn.sigma_y500(size)).to_value(u.one)
    return drawn.scaled(ratio * np.exp(rng.uniform(-_DEPTH, _DEPTH)))
