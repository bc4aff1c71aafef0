"""Statistics of fields, Gaussian densities of them that depend on a few numbers, and p-values.

Fields become multipoles, noise, texture, peaks, and evidence of pairs of clusters.
"""

from itertools import combinations_with_replacement, pairwise

import numpy as np

from szmass._utils.pieces import in_pieces

#: Multipoles that fields are expanded in.
MULTIPOLES = (0, 1, 2, 3, 4)

# Radii [blocks] between which rings of the core are interpolated; the outermost is at its edge.
_CORE = (0.0, 1.0, 2.0, 3.2, 4.7, 6.5, 8.8)
# Nearer to the middle too few blocks lie on a ring to tell multipoles apart: first radius of each.
_FIRST = (0, 1, 2, 2, 3)
# Radii of the field beyond the core.
_FIELD = (4.4, 6.2, 8.2)
# Edges [blocks] of the rings in which the texture is measured.
_RINGS = (0.0, 1.5, 2.7, 3.9, 6.0, np.inf)
# Beyond so many blocks of the field noise is measured.
_OUTSIDE = 1.5
# Radii [blocks of core and field] beyond which peaks are not the cluster's own, and within which
# they are [blocks of the core].
_BEYOND, _CENTRE = (3.5, 2.2), 2.35
_TINY = 1e-9
# Planes are compressed by an inverse hyperbolic sine: beyond this all is equally anomalous.
_LARGEST = 40.0
# Distances [blocks] of two equal clusters: in blocks of 3.4 arcmin, 3.5 to 9.5 arcmin.
_DISTANCES = (1.03, 1.47, 1.91, 2.35, 2.79)
# Places of the two in units of their distance: about the middle of the field, or one there.
_PLACES = ((-0.5, 0.5), (0.0, 1.0))
_ANGLES = 48
# Bright clusters weigh less in the mean image, beyond this multiple of the median brightness.
_BRIGHT = 5.0
# Share of the brightness in the middle that pairs are allowed to have lost.
_FAINTEST = 0.2

# Steps of iterative fits: of variances, and of coefficients given variances.
_VARIANCE_STEPS, _ROUNDS = 8, 3
# Squared deviations count up to this many variances, and weigh less beyond the other: rare
# mergers are not to set them.
_HEAVIEST, _KNEE = 12.0, 8.0
_EXPONENT = 60.0
# Beyond this share of the reference values the distribution is taken as exponential.
_TAIL = 0.05
# Shares at which quantiles are kept.
_SHARES = np.concatenate([np.linspace(1, 0.1, 91), np.geomspace(0.1, _TAIL, 12)[1:]])


class FieldStatistics:
    """Statistics of planes of n x n blocks, as `NetworkInputs` makes them.

    What is farther from the middle than the ``reach`` [blocks of the core] counts for typical noise
    alone: radio holes and other clusters there change no mass.
    """

    def __init__(self, n, reach=np.inf):
        middle = np.arange(n) - (n - 1) / 2
        y, x = np.meshgrid(middle, middle, indexing="ij")
        self._radius, self._angle = np.hypot(x, y), np.arctan2(y, x)
        self._fits = self._joint_fit((*_CORE, n / 2), _FIRST)
        self._rings = self._joint_fit((*_FIELD, n / 2), (0,) * len(MULTIPOLES))

        self._hats = self._rings_between((*_CORE, n / 2)).astype(np.float32)
        self._ring_means = np.linalg.pinv(self._hats).astype(np.float32)
        self._reach = reach
        self._edges = [edge for edge in _RINGS if edge <= reach]
        # Of a finite field the last ring is what lies beyond, and blocks of the field are twice as
        # large.
        self._kept = [
            (
                np.count_nonzero(np.array((*_CORE, n / 2))[first:] <= reach),
                np.count_nonzero(2 * np.array((*_FIELD, n / 2)) <= reach),
            )
            for first in _FIRST
        ]

    def _rings_between(self, nodes):
        """Overlapping hats in radius (nodes, n^2); the corners belong to the last."""
        hats = [np.interp(self._radius, nodes, row, left=0.0) for row in np.eye(len(nodes))]
        return np.reshape(hats, (len(nodes), -1))

    def _joint_fit(self, nodes, first):
        """Weights (n^2, radii) of each multipole in a fit of all of them at once.

        Blocks are squares: fitted one by one, they would hold parts of one another.
        """
        hats = self._rings_between(nodes)
        columns, owner = [], []
        for m in MULTIPOLES:
            for hat in hats[first[m] :]:
                for wave in (np.cos, np.sin)[: 2 if m else 1]:
                    columns.append(hat * wave(m * self._angle.ravel()))
                    owner.append(m)
        inverse, owner = np.linalg.pinv(np.array(columns).T, rcond=1e-3), np.array(owner)
        found = [inverse[owner == m] for m in MULTIPOLES]
        return [(w[::2] - 1j * w[1::2] if m else w).T for m, w in enumerate(found)]

    def multipoles(self, core, field=None):
        """Rings (N, radii) of multipoles of a core (N, n, n) and field; complex but the first."""
        core = core.reshape(len(core), -1)
        inner = [core @ weights for weights in self._fits]
        if field is None:
            outer = [np.zeros((len(core), weights.shape[1])) for weights in self._rings]
        else:
            field = field.reshape(len(field), -1)
            outer = [field @ weights for weights in self._rings]
        return [
            np.concatenate([near[:, :i], far[:, :j]], axis=1)
            for near, far, (i, j) in zip(inner, outer, self._kept, strict=True)
        ]

    def amplitude(self, core):
        """Mean of the filtered core in the middle: how bright the cluster is."""
        return core[:, self._radius < _CENTRE].mean(axis=1)

    def __call__(self, planes):
        """Statistics of planes (N, n, n, 4) by name."""
        # Scales drop out, since everything is compared with the same of other fields.
        planes = np.clip(np.asarray(planes, dtype=np.float32), -_LARGEST, _LARGEST)
        core, core_filtered, field, field_filtered = np.moveaxis(np.sinh(planes), 3, 0)
        flat = [image.reshape(len(image), -1) for image in (core_filtered, field_filtered)]
        return {
            "multipoles": self.multipoles(core_filtered, field_filtered),
            "amplitude": self.amplitude(core_filtered).astype(float),
            "noise": self._noise(field, field_filtered),
            "texture": self._texture(core),
            "peaks": self._extremes(np.max, *map(self._uneven, flat)),
            "holes": self._extremes(np.min, *flat),
        }

    def _noise(self, field, filtered):
        """Typical small-scale differences: medians, which neighbours hardly change.

        Of the field and not of the core, whose smaller blocks show how the map was sampled.
        """
        outside = self._radius[1:-1, 1:-1] > _OUTSIDE
        typical = [
            np.median(np.abs(difference(image))[:, outside], axis=1)
            for image in (field, filtered)
            for difference in (_laplacian, _mixed_difference)
        ]
        far = self._radius > len(self._radius) / 4
        typical.append(np.median(np.abs(filtered)[:, far], axis=1))
        return np.log(np.stack(typical, axis=1).astype(float) + _TINY)

    def _texture(self, image):
        """Energy of small-scale differences by ring."""
        square, radius = _laplacian(image) ** 2, self._radius[1:-1, 1:-1]
        rings = [
            square[:, (radius >= low) & (radius < high)].mean(axis=1)
            for low, high in pairwise(self._edges)
        ]
        return np.log(np.stack(rings, axis=1).astype(float) + _TINY)

    def _extremes(self, function, core, field):
        """Highest or lowest values of field and core away from the cluster, and in the middle."""
        radius = self._radius.ravel()
        parts = (
            field[:, (radius > _BEYOND[1]) & (2 * radius <= self._reach)],
            core[:, (radius > _BEYOND[0]) & (radius <= self._reach)],
            core[:, radius < _CENTRE],
        )
        found = [function(part, axis=1) for part in parts if part.shape[1]]
        return np.arcsinh(np.stack(found, axis=1).astype(float))

    def _uneven(self, flat):
        """Take away the mean at each radius."""
        # In single precision some processors sum the last of many rows otherwise than the first.
        return in_pieces(lambda part: part - (part @ self._ring_means) @ self._hats, 8, flat)


def _laplacian(a):
    middle = a[:, 1:-1, 1:-1]
    return 4 * middle - a[:, :-2, 1:-1] - a[:, 2:, 1:-1] - a[:, 1:-1, :-2] - a[:, 1:-1, 2:]


def _mixed_difference(a):
    """Second difference along rows and columns: a smooth signal has next to none."""
    rows = a[:, 2:] - 2 * a[:, 1:-1] + a[:, :-2]
    return rows[:, :, 2:] - 2 * rows[:, :, 1:-1] + rows[:, :, :-2]


class PairTemplates:
    """Multipoles of pairs of average clusters, side by side, of the brightness of one.

    The mean image of a single cluster, in units of its brightness, is a smooth function of x.
    ``rings`` are multipoles of it and of each pair in terms of the basis, (terms, 1 + pairs, rings)
    for each multipole; ``brightness`` has shape (terms, 1 + pairs).
    """

    def __init__(self, rings, brightness):
        self.rings, self.brightness = rings, brightness

    @classmethod
    def fit(cls, core, terms, statistics, directions):
        """Fit the mean image to cores (N, n, n), in directions (kept, rings) of each multipole."""
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
        """ln of the evidence of pairs, averaged over places, over that of single clusters, (N,).

        ``white`` are the rings of the fields, (N, kept) for each multipole, which ``densities``
        whitened.
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


class SmoothBasis:
    """Polynomials up to a total degree, of variables that are moved into the range low to high.

    Variables beyond the first ``full`` are there in pairs alone, or once in each term.
    """

    def __init__(self, low, high, degree, full):
        self.low, self.high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
        self._terms = [
            list(term)
            for order in range(degree + 1)
            for term in combinations_with_replacement(range(len(self.low)), order)
            if sum(variable >= full for variable in term) <= (2 if order == 2 else 1)
        ]

    def __len__(self):
        return len(self._terms)

    def __call__(self, x):
        """Polynomials (N, terms) at x (N, variables)."""
        width = np.maximum(self.high - self.low, 1e-12)
        t = 2 * (np.clip(x, self.low, self.high) - self.low) / width - 1
        return np.stack([t[:, term].prod(axis=1) for term in self._terms], axis=1)


class ConditionalGaussian:
    """Whitens numbers by their mean and covariance at given x.

    Each number is predicted from those before it, and its residual is divided by a standard
    deviation; coefficients of both depend on x: a Cholesky factor made of regressions. Complex
    numbers have mean 0 and real coefficients, as multipoles of fields without a preferred direction
    have; their real and imaginary parts have variance 1/2 when whitened. ``means``, ``slopes`` (on
    the numbers before) and ``variances`` (their logarithm) are lists of coefficients, one array per
    number.
    """

    def __init__(self, means, slopes, variances):
        self.means, self.slopes, self.variances = means, slopes, variances

    @classmethod
    def fit(cls, values, terms, few):
        """Fit to values (N, K): means and variances in terms (N, terms), slopes in few others."""
        inverse = inverse_normal(terms)
        found = []
        for k in range(values.shape[1]):
            before = _products(values[:, :k], few)
            offset = 0 if np.iscomplexobj(values) else terms.shape[1]
            design = np.concatenate([terms[:, :offset], before], axis=1)
            log_variance, variance = np.zeros(len(values)), None
            for _ in range(_ROUNDS):
                weight = np.exp(-0.5 * log_variance)
                slope = _least_squares(design * weight[:, np.newaxis], values[:, k] * weight)
                square = np.abs(values[:, k] - design @ slope) ** 2
                variance = _log_variance(square, terms, inverse, variance)
                log_variance = np.clip(terms @ variance, -_EXPONENT, _EXPONENT)
                log_variance = log_variance + np.log1p(square / np.exp(log_variance) / _KNEE)
            found.append((slope[:offset], slope[offset:], variance))
        return cls(*(list(part) for part in zip(*found, strict=True)))

    def whiten(self, values, terms, few, *, difference=False):
        """Give standardised residuals; of a difference of two values without the mean."""
        result = np.empty_like(values)
        for k, slope in enumerate(self.slopes):
            expected = _products(values[:, :k], few) @ slope
            if len(self.means[k]) and not difference:
                expected = expected + terms @ self.means[k]
            result[:, k] = (values[:, k] - expected) * np.exp(-0.5 * (terms @ self.variances[k]))
        return result


def inverse_normal(terms):
    """Invert the matrix of normal equations of a basis at all points."""
    normal = terms.T @ terms
    return np.linalg.inv(normal + 1e-9 * np.trace(normal) * np.eye(len(normal)))


def _products(before, few):
    parts = [before[:, [j]] * few for j in range(before.shape[1])]
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(before), 0))


def _least_squares(design, target):
    if not design.shape[1]:
        return np.zeros(0)
    normal = (design.conj().T @ design).real
    normal[np.diag_indices_from(normal)] *= 1 + 1e-6
    return np.linalg.solve(normal, (design.conj().T @ target).real)


def _log_variance(square, terms, inverse, start):
    """Gamma regression with a logarithmic link, whose information matrix is constant."""
    if start is None:
        start = inverse @ (terms.T @ np.log(square + 1e-12 * square.mean() + 1e-300))
    for _ in range(_VARIANCE_STEPS):
        ratio = square / np.exp(np.clip(terms @ start, -_EXPONENT, _EXPONENT))
        start = start + np.clip(inverse @ (terms.T @ (np.minimum(ratio, _HEAVIEST) - 1)), -1, 1)
    return start


class AnomalyScore:
    """-log10 of the share of reference values above, extrapolated beyond the rarest 5 %.

    ``scale`` is the mean excess of what is beyond the last of the ``quantiles``.
    """

    def __init__(self, quantiles, scale):
        self.quantiles, self.scale = quantiles, scale

    @classmethod
    def fit(cls, reference):
        """Fit to reference values (N,)."""
        quantiles = np.quantile(reference, 1 - _SHARES)
        return cls(quantiles, np.mean(reference[reference > quantiles[-1]] - quantiles[-1]))

    def __call__(self, values):
        """-log10 p of values (N,)."""
        inside = np.interp(values, self.quantiles, -np.log10(_SHARES))
        beyond = np.maximum(values - self.quantiles[-1], 0.0) / self.scale
        return inside + beyond / np.log(10)


class Standardisation:
    """Takes what depends on x out of middle and width: coefficients of it, and of its logarithm."""

    def __init__(self, middle, width):
        self.middle, self.width = middle, width

    @classmethod
    def fit(cls, values, terms, inverse):
        """Fit to values (N,) at terms of a basis (N, terms), whose normal matrix is inverted."""
        middle = inverse @ (terms.T @ values)
        distance = np.abs(values - terms @ middle)
        return cls(middle, inverse @ (terms.T @ np.log(distance + 1e-6)))

    def __call__(self, values, terms):
        """Values (N,) with the same middle and width at all x."""
        return (values - terms @ self.middle) * np.exp(-(terms @ self.width))
