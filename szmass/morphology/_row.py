"""One cluster: where its apertures stand, and what is measured in them."""

import astropy.units as u
import numpy as np
from scipy.ndimage import gaussian_filter

from szmass.morphology import _moments, _shapes
from szmass.morphology.flags import MorphologyFlag as Flag

# Parameters of a table, by what is computed together.
GROUPS = {
    "concentration": ("concentration",),
    "centroid_shift": ("centroid_shift",),
    "power_ratios": ("p2_p0", "p3_p0", "p4_p0"),
    "asymmetry": ("asymmetry", *(f"asymmetry_{turn}" for turn in _shapes.TURNS)),
    "zernike": ("zernike",),
    "ellipticity": ("ellipticity", "position_angle"),
    "strip": ("strip",),
    "gaussian": ("gaussian",),
}

_PLACES = 1e-3  # of a pixel
_FEWEST_PIXELS = 3.0


class Row:
    """One cluster: its image, and how it is measured with and without more noise."""

    def __init__(self, images, i, angle, per_kpc, no_redshift, definition, groups, options):
        self.definition, self.groups, self.options = definition, groups, options
        self.raw, self.background, self.exposure, self.good = images.row(i)
        self.ring, self.shape = images.ring, images.shape
        self.flag, self.place, self.masked = Flag(0), np.full(2, np.nan), np.nan
        self.radius = np.tan(angle) / np.tan(images.pixel[i]) if 0 < angle < 1.5 else np.nan
        self.unit = self.radius
        if definition.unit == "kpc":
            self.unit = np.tan(per_kpc) / np.tan(images.pixel[i])
        if no_redshift:
            self.flag |= Flag.NO_REDSHIFT
        elif not np.isfinite(self.radius):
            self.flag |= Flag.NO_R500
        beam = 0.0 if images.beam is None else images.beam.to_value(u.rad) / images.pixel[i]
        core = definition.concentration[0] * self.unit
        if self.radius <= max(_FEWEST_PIXELS, beam) or core < 0.5:
            self.flag |= Flag.UNRESOLVED
        self.middle = np.array([(n - 1) / 2 for n in reversed(self.shape)])
        self.centring = "peak", None

    def measure(self, noise=None):
        """Parameters, and light in the aperture; the first call, without noise, sets the flags."""
        flags = Flag(0)
        nothing = np.full(sum(len(GROUPS[group]) for group in self.groups) + 1, np.nan), np.nan

        def end(result, more):
            if noise is None:
                self.flag |= flags | more
            return result

        if self.flag & (Flag.NO_R500 | Flag.NO_REDSHIFT):
            return end(nothing, Flag(0))
        image = self._brightness(self.raw if noise is None else noise)
        if image is None:
            return end(nothing, Flag.NO_BACKGROUND)
        y, x = np.ogrid[: self.shape[0], : self.shape[1]]
        near = self.good & (np.hypot(x - self.middle[0], y - self.middle[1]) < self._search)
        if not near.any():
            return end(nothing, Flag.NO_IMAGE)
        if np.ptp(image[near]) == 0:
            return end(nothing, Flag.CONSTANT)
        unit = np.max(np.abs(image[near]))
        image = image / unit  # so that squares of any light are numbers
        peak, at_edge = self._peak(image, near)
        if at_edge:
            flags |= Flag.PEAK_AT_EDGE
        aperture = self.definition.aperture * self.unit
        filled = self._filled(image, peak)
        centroid = _moments.own_centroid(filled, peak, aperture)
        kind, given = self.centring
        place = {"peak": peak, "centroid": centroid, "middle": self.middle, "given": given}[kind]
        if not np.isfinite(place).all() or not self._inside(place, 0):
            return end(nothing, Flag.NO_CENTER)
        if kind != "peak":
            flags &= ~Flag.PEAK_AT_EDGE
            filled = self._filled(image, place)
        weight = _moments.disc(self.shape, place, aperture)
        part = np.sum(weight * ~self.good) / np.sum(weight)
        if noise is None:
            self.place, self.masked = place, part
        if part > self.options["max_masked"]:
            return end(nothing, Flag.MOSTLY_MASKED)
        if part > 0:
            flags |= Flag.MASKED
        total = np.sum(weight * filled)
        if not total > 0:
            return end((nothing[0], total * unit), Flag.NOT_POSITIVE)
        values = []
        for group in self.groups:
            found = getattr(self, f"_{group}")(filled, place)
            if found is None:
                flags |= Flag.TOO_LARGE
                found = [np.nan] * len(GROUPS[group])
            elif group in ("ellipticity", "gaussian") and np.isnan(found[0]):
                flags |= Flag.NO_FIT
            values.extend(found)
        values.append(np.hypot(*(peak - centroid)) / aperture)
        return end((np.array(values), total * unit), Flag(0))

    def _brightness(self, image):
        """Give the image without background and per exposure, 0 where bad; None without a ring."""
        if self.background is not None:
            image = image - self.background
        if self.exposure is not None:
            image = np.divide(image, self.exposure, out=np.zeros(self.shape), where=self.good)
        image = np.where(self.good, image, 0.0)
        if self.ring is not None:
            inner, outer = (
                _moments.disc(self.shape, self.middle, edge * self.radius) for edge in self.ring
            )
            weight = (outer - inner) * self.good
            if not weight.any():
                return None
            image = image - np.sum(weight * image) / np.sum(weight)
        return np.where(self.good, image, 0.0)

    @property
    def _search(self):
        return max(self.options["search"] * self.radius, 1.5)

    def _peak(self, image, near):
        """Brightest place of the smoothed image, and whether it is at the edge of the search."""
        sigma = self.options["smoothing"] * self.radius
        if sigma > 0.3:
            image = gaussian_filter(image, sigma, mode="constant")
            if not self.good.all() or near[[0, -1]].any() or near[:, [0, -1]].any():
                covered = gaussian_filter(self.good.astype(float), sigma, mode="constant")
                image = np.divide(image, covered, out=np.zeros(self.shape), where=covered > 0.1)
        row, column = np.unravel_index(np.argmax(np.where(near, image, -np.inf)), self.shape)
        place = np.array([column, row], float)
        for axis, (k, n) in enumerate(((column, self.shape[1]), (row, self.shape[0]))):
            if 0 < k < n - 1:
                line = image[row, k - 1 : k + 2] if axis == 0 else image[k - 1 : k + 2, column]
                curvature = line[0] - 2 * line[1] + line[2]
                if curvature < 0:
                    place[axis] += np.clip((line[0] - line[2]) / (2 * curvature), -0.5, 0.5)
        return place, np.hypot(*(place - self.middle)) > self._search - 1.5

    def _filled(self, image, place):
        """Give the image with bad pixels replaced by the mean of good ones at their distance."""
        if self.good.all():
            return image
        y, x = np.ogrid[: self.shape[0], : self.shape[1]]
        distance = np.hypot(x - place[0], y - place[1])
        bins = distance.astype(int)
        number = np.bincount(bins[self.good])
        known = number > 0
        light = np.bincount(bins[self.good], image[self.good])
        radius = np.bincount(bins[self.good], distance[self.good])
        mean, radius = light[known] / number[known], radius[known] / number[known]
        image = image.copy()
        image[~self.good] = np.interp(distance[~self.good], radius, mean)
        return image

    def _inside(self, place, radius):
        sides = np.array(self.shape[::-1]) - 0.5
        return bool(
            np.all(place - radius > -0.5 - _PLACES) and np.all(place + radius < sides + _PLACES)
        )

    def _fits(self, place, radius):
        radius = radius * self.unit
        return radius if self._inside(place, radius) else None

    def _concentration(self, image, place):
        inner, outer = (self._fits(place, edge) for edge in self.definition.concentration)
        if outer is None:
            return None
        fluxes = [_moments.centroid(image, place, edge)[0] for edge in (inner, outer)]
        return [fluxes[0] / fluxes[1] if fluxes[1] > 0 else np.nan]

    def _centroid_shift(self, image, place):
        radii = np.array(self.definition.shift) * self.unit
        if not self._inside(place, radii[-1]):
            return None
        return [_moments.centroid_shift(image, place, radii)]

    def _power_ratios(self, image, place):
        radius = self.definition.power * self.unit
        if self.definition.power_center == "centroid":
            place = _moments.own_centroid(image, place, radius)
            if not np.isfinite(place).all():
                return [np.nan] * 3
        if not self._inside(place, radius):
            return None
        ratios = np.array(_moments.power_ratios(image, place, radius, (2, 3, 4)))
        log = self.definition.log_radius
        return ratios if log is None else ratios / np.log(log) ** 2

    def _asymmetry(self, image, place):
        radius = self._fits(place, self.definition.aperture)
        if radius is None:
            return None
        found = _shapes.asymmetries(image, self.good, place, radius)
        return [np.max(found), *found]

    def _zernike(self, image, place):
        radius = self._fits(place, self.definition.aperture)
        if radius is None:
            return None
        order = self.definition.zernike_order
        return [_moments.zernike_sum(image, self.good, place, radius, order)]

    def _ellipticity(self, image, place):
        radius = self._fits(place, self.definition.aperture)
        if radius is None:
            return None
        found, angle = _shapes.ellipse(image, place, radius)
        return [found, np.degrees(angle)]

    def _strip(self, image, place):
        radius = self._fits(place, self.definition.aperture)
        return None if radius is None else [_shapes.strips(image, place, radius)]

    def _gaussian(self, image, place):
        radius = self._fits(place, self.definition.aperture)
        return None if radius is None else [_shapes.gaussian_axes(image, self.good, place, radius)]
