"""Images with more of their noise: where errors of morphology come from."""

import numpy as np

from szmass._utils.quantities import as_floats
from szmass._utils.seeds import generator
from szmass.exceptions import InvalidInputError
from szmass.maps import NoiseModel
from szmass.maps.noise.core import get_noise_model
from szmass.maps.noise.depth import DepthMap
from szmass.morphology._images import LARGEST, one_each

#: Fewest draws that have a standard deviation.
FEWEST_DRAWS = 2


def get_draws(images, noise, errors, depth, seed):
    """Give what makes the images of a row with more noise, or None without errors."""
    if isinstance(errors, bool) or not isinstance(errors, int | np.integer) or errors < 0:
        raise InvalidInputError(f"'errors' must be a number of draws >= 0. Received: {errors!r}")
    if not errors:
        return None
    if errors < FEWEST_DRAWS:
        raise InvalidInputError(f"'errors' must be 0 or at least {FEWEST_DRAWS} draws.")
    if noise is None:
        noise = images.noise if images.noise is not None else images.sigma
        if noise is None:
            raise InvalidInputError(
                "'noise' must be given for errors: the images do not know theirs. Give a "
                "NoiseModel of the map, 'poisson' for counts, or a standard deviation."
            )
    if isinstance(noise, NoiseModel) or (isinstance(noise, str) and noise != "poisson"):
        return _Correlated(images, get_noise_model(noise), errors, depth, seed)
    if depth is not None:
        raise InvalidInputError("'depth' is a factor of a NoiseModel: give that as 'noise'.")
    if isinstance(noise, str):
        return _Poisson(images, errors, seed)
    return _White(images, noise, errors, seed)


class _Poisson:
    source = "poisson"

    def __init__(self, images, errors, seed):
        counts = images.data[np.abs(images.data) < LARGEST]
        if np.any(counts < 0) or np.any(counts != np.rint(counts)):
            raise InvalidInputError(
                "noise='poisson' draws counts: the images must be whole numbers >= 0. Give what is "
                "not counted as 'background' and 'exposure'."
            )
        self.errors, self.seed = errors, seed

    def __call__(self, i, row):
        rng = generator(self.seed, "morphology", i)
        for _ in range(self.errors):
            yield rng.poisson(np.where(row.good, row.raw, 0)).astype(float)


class _White:
    source = "independent pixels"

    def __init__(self, images, sigma, errors, seed):
        self.sigma = as_floats(images.plain(sigma, "noise"), "", "noise")
        if self.sigma.shape not in ((), images.shape, images.data.shape):
            raise InvalidInputError(
                f"'noise' must be one number or have the shape of the images, {images.shape}. "
                f"Received: {self.sigma.shape}"
            )
        if np.any(self.sigma < 0):
            raise InvalidInputError("'noise' must not be negative.")
        self.errors, self.seed = errors, seed

    def __call__(self, i, row):
        rng = generator(self.seed, "morphology", i)
        sigma = np.broadcast_to(self.sigma[i] if self.sigma.ndim == 3 else self.sigma, row.shape)
        if not np.isfinite(sigma[row.good]).all():
            raise InvalidInputError("'noise' is not finite in pixels that are not masked.")
        sigma = np.where(row.good, sigma, 0.0)
        for _ in range(self.errors):
            yield row.raw + sigma * rng.standard_normal(row.shape)


class _Correlated:
    def __init__(self, images, noise, errors, depth, seed):
        self.noise, self.errors, self.seed = noise, errors, seed
        self.source = repr(noise)
        self.geometry = images.grid()
        if depth is not None:
            self.depth = one_each(as_floats(depth, "", "depth", positive=True), images.n, "depth")
        elif isinstance(noise.depth, DepthMap) and images.coord is not None:
            self.depth = noise.depth.at(images.coord)
        else:
            self.depth = np.ones(images.n)

    def __call__(self, i, row):
        rng = generator(self.seed, "morphology", i)
        for field in self.noise.draw(self.geometry, self.errors, rng, depth=self.depth[i]):
            yield row.raw + field
