"""Gaussian skies on HEALPix from a generator of random numbers, on plain arrays."""

import numpy as np

__all__ = ["draw_sky", "upgrade"]

_PIECE = 2**20


def draw_sky(spectrum, nside, rng):
    """Draw a sky (RING) of a spectrum from l = 0; healpy would draw from numpy's global state."""
    import healpy

    ell_max = len(spectrum) - 1
    alm = np.empty(healpy.Alm.getsize(ell_max), complex)
    rng.standard_normal(out=alm.view(float))
    alm *= np.sqrt(0.5)
    # m = 0 comes first and is real.
    alm[: ell_max + 1] = alm[: ell_max + 1].real * np.sqrt(2)
    healpy.almxfl(alm, np.sqrt(spectrum), inplace=True)
    return healpy.alm2map(alm, nside, lmax=ell_max)


def upgrade(values, nside):
    """Bring a map (RING, NaN where not known) to another nside: bilinear up, means down."""
    import healpy

    own = healpy.npix2nside(len(values))
    if nside == own:
        return values.copy()
    if nside < own:
        bad = np.isnan(values)
        result = healpy.ud_grade(np.where(bad, healpy.UNSEEN, values), nside)
        result[result == healpy.UNSEEN] = np.nan
        return result
    result = np.empty(12 * nside**2)
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    for start in range(0, len(result), _PIECE):
        pixels = np.arange(start, min(start + _PIECE, len(result)))
        neighbours, weights = healpy.get_interp_weights(own, *healpy.pix2ang(nside, pixels))
        part = np.sum(filled[neighbours] * weights, axis=0)
        if not known.all():
            # Means over what is known, where that is most of it.
            cover = np.sum(known[neighbours] * weights, axis=0)
            part = np.where(cover > 0.5, part / np.maximum(cover, 0.5), np.nan)
        result[pixels] = part
    return result
