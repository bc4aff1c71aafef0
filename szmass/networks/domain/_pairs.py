"""Whether two clusters explain a field better than one: an evidence ratio, from single ones."""

import numpy as np

__all__ = ["PairTemplates"]

# Distances [blocks] of two equal clusters: in blocks of 3.4 arcmin, 3.5 to 9.5 arcmin.
_DISTANCES = (1.03, 1.47, 1.91, 2.35, 2.79)
# Places of the two in units of their distance: about the middle of the field, or one there.
_PLACES = ((-0.5, 0.5), (0.0, 1.0))
_ANGLES = 48
# Bright clusters weigh less in the mean image, beyond this multiple of the median brightness.
_BRIGHT = 5.0
# Share of the brightness in the middle that pairs are allowed to have lost.
_FAINTEST = 0.2


class PairTemplates:
    """What pairs of average clusters look like, in rings and multipoles.

    The mean image of a single cluster, in units of its brightness, is a smooth function of x;
    pairs are two of it side by side, of the same brightness together.

    Parameters
    ----------
    rings : list of ndarray
        Multipoles of the mean image and of each pair, in terms of the basis: shape
        (terms, 1 + pairs, rings), for each multipole.
    brightness : ndarray
        Their brightness, shape (terms, 1 + pairs).
    """

    def __init__(self, rings, brightness):
        self.rings, self.brightness = rings, brightness

    @classmethod
    def fit(cls, core, terms, statistics, directions):
        """Fit the mean image.

        Parameters
        ----------
        core : ndarray
            Filtered cores, shape (N, n, n).
        terms : ndarray
            Basis at the x of each, shape (N, terms).
        statistics : FieldStatistics
            Makes rings.
        directions : list of ndarray
            Which combinations of rings are looked at, (kept, rings) for each multipole.

        Returns
        -------
        PairTemplates
            The templates.
        """
        from scipy.ndimage import shift

        bright = np.maximum(statistics.amplitude(core), 0.0)
        weight = (1 + (bright / (_BRIGHT * np.median(bright))) ** 2) ** -0.5
        design = terms * (bright * weight)[:, np.newaxis]
        normal = design.T @ design
        normal += 1e-7 * np.trace(normal) * np.eye(len(normal))
        target = core.reshape(len(core), -1) * weight[:, np.newaxis]
        image = np.linalg.solve(normal, design.T @ target).reshape(-1, *core.shape[1:])
        # It has no preferred direction.
        image = sum(
            np.rot90(flipped, k, axes=(1, 2))
            for flipped in (image, image[:, ::-1])
            for k in range(4)
        )
        images = [image / 8]
        for near, far in _PLACES:
            for distance in _DISTANCES:
                places = ((0, 0, place * distance) for place in (near, far))
                images.append(sum(shift(images[0], place, mode="nearest") for place in places) / 2)
        images = np.stack(images, axis=1)
        flat = images.reshape(-1, *core.shape[1:])
        shape = images.shape[:2]
        rings = [
            (values @ kept.T).reshape(*shape, -1)
            for values, kept in zip(statistics.multipoles(flat), directions, strict=True)
        ]
        return cls(rings, statistics.amplitude(flat).reshape(shape))

    def log_evidence(self, white, amplitude, terms, few, densities):
        """Give the logarithm of the evidence of pairs over that of single clusters.

        Parameters
        ----------
        white : list of ndarray
            Whitened rings of the fields, (N, kept) for each multipole.
        amplitude : ndarray
            Brightness of the fields, shape (N,).
        terms, few : ndarray
            The bases that the densities are expanded in.
        densities : list of ConditionalGaussian
            They whitened the rings.

        Returns
        -------
        ndarray
            Averaged over distances, places and angles; shape (N,).
        """
        amplitude = np.maximum(amplitude, 0.0)
        brightness = terms @ self.brightness
        scale = amplitude[:, np.newaxis] / np.maximum(brightness, _FAINTEST)
        angle = 2 * np.pi * np.arange(_ANGLES) / _ANGLES
        ratios = np.zeros((len(terms), self.brightness.shape[1] - 1, _ANGLES))
        for m, (values, rings, density) in enumerate(
            zip(white, self.rings, densities, strict=True)
        ):
            expected = np.einsum("nt,tpk->npk", terms, rings) * scale[:, :, np.newaxis]
            for pair in range(ratios.shape[1]):
                change = expected[:, pair + 1] - expected[:, 0]
                change = density.whiten(change, terms, few, difference=True)
                overlap = (change.conj() * values).sum(axis=1)
                square = (np.abs(change) ** 2).sum(axis=1)
                if m == 0:
                    ratios[:, pair] += (overlap - 0.5 * square)[:, np.newaxis]
                else:
                    turned = (overlap[:, np.newaxis] * np.exp(1j * m * angle)).real
                    ratios[:, pair] += 2 * turned - square[:, np.newaxis]
        ratios = ratios.reshape(len(terms), -1)
        largest = ratios.max(axis=1)
        return largest + np.log(np.exp(ratios - largest[:, np.newaxis]).mean(axis=1))
