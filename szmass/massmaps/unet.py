"""Mass maps by a U-Net that sees Compton-y, X-rays and galaxies."""

import dataclasses
import functools
import importlib.resources
import json
from dataclasses import dataclass

import astropy.units as u
import numpy as np

from szmass._io.download import check_sha256
from szmass._io.headers import understood
from szmass._tables.samples import cutout_rows
from szmass._utils.kinds import as_path, check_kind
from szmass.exceptions import FileFormatError, InvalidInputError
from szmass.maps import NoiseModel
from szmass.massmaps._bands import BANDS, NUMBERS, PLANES, Bands, network_input, noise_in_disc
from szmass.massmaps._draws import body_at, mass_map, normals, placed
from szmass.massmaps._grid import FADE, REACH, SIDE, distances
from szmass.massmaps.core import MAP_ESTIMATORS, MapEstimator
from szmass.massmaps.flags import MassMapFlag
from szmass.massmaps.nfw import Baseline, depth_of
from szmass.networks import MassUNet
from szmass.physics.cosmology import angular_diameter_distance, efunc
from szmass.physics.curves import mass_curve

__all__ = ["MAP_NETWORKS", "UNetMaps"]

_DATA = importlib.resources.files("szmass") / "data" / "massmaps"
_CM_PER_MPC = 3.0856775814913673e24
_BRIGHTNESS = u.erg / u.s / u.cm**2 / u.arcmin**2

#: Networks of mass maps that ship with szmass.
MAP_NETWORKS = ("resolved",)

# Beams [R500], and noise of y in a disc of R500 / 4 over the mean inside R500, of the mocks.
_WIDEST, _LOUDEST = 1.2, 3.0


@dataclass(frozen=True)
class _Network:
    """A network, its card, and how far off its shapes are by the bands that were seen."""

    card: dict
    run: MassUNet
    factor: np.ndarray
    modes: np.ndarray
    shift: np.ndarray

    @classmethod
    def read(cls, path):
        """Read a card, and the weights beside it."""
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            known = (card["side"], card["reach"], card["numbers"], card["format"])
        except (OSError, ValueError, KeyError, TypeError) as err:
            if isinstance(err, OSError):
                raise InvalidInputError(
                    f"'network' must be one of {', '.join(MAP_NETWORKS)}, or the path of a card. "
                    f"Received: {str(path)!r} ({err})"
                ) from err
            raise FileFormatError(f"{str(path)!r} is no card of a network of mass maps.") from err
        if known != (SIDE, REACH, list(NUMBERS), 1):
            raise FileFormatError(
                f"The network of {str(path)!r} sees other inputs than this version of szmass makes."
            )
        file = path.with_suffix(".npz")
        if not file.is_file():
            raise InvalidInputError(
                f"Beside the card {str(path)!r} its weights are missing: {file}"
            )
        check_sha256(file, card.get("sha256"), remedy="Train or install the network again.")
        arrays = MassUNet.read_arrays(file)
        with understood(path, "network"):
            names = ("error_factor", "error_modes", "mean_shift")
            factor, modes, shift = (arrays.pop(name).astype(float) for name in names)
            run = MassUNet(arrays, filters=card["filters"])
            zeros = np.zeros((1, SIDE, SIDE, len(PLANES)), np.float32)
            shape, amplitude = run(zeros, np.zeros((1, len(NUMBERS)), np.float32))
            # What is wanted of the card and the tables, before there are clusters.
            run.scaled(shape[0], *card["shape"])
            run.scaled(amplitude[0], *card["amplitude"])
            ranges = np.array([card["log10_mass"], card["redshift"]], float)
            _trained(card)
            seen = (2 ** len(BANDS), SIDE, SIDE)
            shapes = ranges.shape, factor.shape, modes.shape[1:], shift.shape
            if shapes != ((2, 2), seen, seen[1:], (2, *seen)):
                raise ValueError(f"arrays have wrong shapes: {shapes}")
        return cls(card, run, factor, modes, shift)


def _trained(card):
    return f"{card['training']['clusters']} mocks of {card['training']['model']}"


@functools.lru_cache(maxsize=4)
def _network(name):
    if name in MAP_NETWORKS:
        with importlib.resources.as_file(_DATA) as folder:
            return _Network.read(folder / f"{name}.json")
    return _Network.read(as_path(name).expanduser())


@dataclass(kw_only=True, eq=False, repr=False)
class UNetMaps(MapEstimator):
    """Mass maps by a U-Net: what y, X-rays and galaxies of a cluster say of where its mass is.

    The network tells mean and scatter of the logarithm of the surface density over that of the NFW
    halo of the cluster's true mass, out to 1.5 R500; farther out the halo is all there is. The mass
    itself is that of the posterior, or what the network makes of it.

    Parameters
    ----------
    network : str or path-like, optional
        A network that ships with szmass, one of `MAP_NETWORKS`, or the card of another.
    bands : sequence of str, optional
        What it may look at: "y" of the cutouts, and "xray" and "galaxies" of the sample's
        ``fields``, where it has them.
    mass : str or MassEstimator or LogMassPosterior, optional
        As in `NFWMaps`.
    normalisation : {"posterior", "network"}, optional
        Masses of the posterior as they are; or those that the network finds, which knows median
        and width of the posterior, and how bright the bands are.
    one_minus_b : float, optional
        As in `NFWMaps`.
    noise : NoiseModel or {"planck", "none"}, optional
        Noise of the y-map; that of the cutouts by default.
    geometry : `~szmass.maps.CutoutGeometry`, optional
        As in `NFWMaps`.
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        For sizes and distances.

    Notes
    -----
    X-rays are photons [ct], background in them, or a brightness [erg / (s cm2 arcmin2)], which is
    taken as free of noise; a ring at 1.3 to 1.6 R500 is subtracted from either. Galaxies are
    numbers in pixels. Both are taken as resolved. What a brightness or a number means in mass is
    that of the simulator: where data are calibrated otherwise, use the normalisation "posterior".

    The network was trained on `simulated clusters <szmass.simulations>` of "a10-the300", whose maps
    it tells the posterior mean of. It knows nothing of neighbours, of structures in front and
    behind, or of what hydrodynamics does beyond that model.

    References
    ----------
    De Andres et al. 2024 (arXiv 2311.02469) map the mass of The Three Hundred in this way.
    """

    tag = "unet"
    description = "a U-Net that sees y, X-rays and galaxies, on haloes of the masses"
    references = ("1997ApJ...490..493N", "2003MNRAS.340..580T", "2021MNRAS.506.4210I")
    software = ("numpy", "scipy", "colossus")
    at_a_time = 32

    # What the network knows better than the baseline.
    concentration, sigma_lnc, ellipticity, centring = "ishiyama21", 0.0, "none", 0 * u.arcmin

    network: object = "resolved"
    bands: object = BANDS
    mass: object = "likelihood"
    normalisation: str = "posterior"
    one_minus_b: float | None = None
    noise: object = None
    geometry: object = None
    cosmology: object = "PSZ2"

    @property
    def needs(self):
        """What a cluster must have under the present options, in words of `requires`."""
        return frozenset({"redshift", "cutout"} if "y" in self._bands() else {"redshift"})

    def _extra_meta(self, sample):
        card = self._checked(sample).card
        return {
            "network": card.get("name", str(self.network)),
            "network_sha256": card["sha256"],
            "bands": self._seen(sample),
            "normalisation": self.normalisation,
            "truncation": "5 R500",
            "shapes_from": _trained(card),
        }

    def _checked(self, sample):
        """The network, if the options make sense."""
        if self.normalisation not in ("posterior", "network"):
            raise InvalidInputError(
                "'normalisation' must be 'posterior' or 'network'. Received: "
                f"{self.normalisation!r}"
            )
        network = _network(self.network)
        if not self._seen(sample):
            raise InvalidInputError(
                f"The sample has none of the bands {', '.join(self.bands)}: attach cutouts, or "
                "put maps into sample.fields."
            )
        return network

    def _bands(self):
        """The bands of the options."""
        known = isinstance(self.bands, list | tuple) and all(band in BANDS for band in self.bands)
        if not known or not self.bands:
            raise InvalidInputError(
                f"'bands' must be some of {', '.join(BANDS)}. Received: {self.bands!r}"
            )
        return self.bands

    def _seen(self, sample):
        """Names of the bands that the sample has and the network may look at."""
        there = {"y": sample.cutouts is not None, **dict.fromkeys(sample.fields, True)}
        return [band for band in self._bands() if there.get(band)]

    def _map(self, sample, posterior):
        network = self._checked(sample)
        base = Baseline.of(self, sample, posterior)
        scenes, flag = self._scenes(sample, base, self._y_scale(posterior))
        expansion = efunc(base.redshift, base.cosmology)
        made = []
        for i, (bands, shape, pixel) in enumerate(scenes):
            planes, numbers = network_input(
                bands, shape, pixel / base.theta[i], base.theta[i], base.log10_mass[i],
                base.redshift[i], base.error[i], expansion[i],
            )  # fmt: skip
            known = planes[..., 1::2].max(axis=-1)
            if known[distances() < 1].max() == 0:
                flag[i] |= MassMapFlag.NO_CUTOUT
            elif known[distances() < REACH].min() < 0.5:
                flag[i] |= MassMapFlag.INCOMPLETE
            if not np.all(np.isfinite(planes)) or not np.all(np.isfinite(numbers)):
                planes, numbers = np.nan_to_num(planes, posinf=0, neginf=0), np.zeros_like(numbers)
                flag[i] |= MassMapFlag.BEYOND_MOCKS
            body, mass = self._told(network, planes, np.clip(numbers, -6, 6))
            drawn = base
            if self.normalisation == "network":
                drawn = dataclasses.replace(base, drawn=base.drawn.copy())
                log_mass = mass[0] + mass[1] * normals()[:, 0]
                drawn.drawn[i] = base.log10_mass[i] + log_mass / np.log(10)
            place = placed(base.grid, base.theta[i])
            made.append(mass_map(drawn.haloes(i), body_at(*body, place), place))
        return base.stack(sample, made, flag)

    def _told(self, network, planes, numbers):
        """Mean, scatter and modes of the logarithm on the grid; mean and scatter of ln M."""
        shape, amplitude = network.run(planes[np.newaxis], numbers[np.newaxis])
        mean, sigma = network.run.scaled(shape[0].astype(float), *network.card["shape"])
        mass = network.run.scaled(amplitude[0].astype(float), *network.card["amplitude"])
        # Beyond, where it was not trained, what it says is not heard.
        inside, edge = distances() < REACH, (distances() > FADE[0]) & (distances() < REACH)
        seen = sum(1 << band for band in range(len(BANDS)) if planes[..., 2 * band + 1].any())
        sigma = sigma * network.factor[seen]
        shift, slope = network.shift[:, seen]
        mean = np.where(inside, mean + shift + slope * sigma**2, 0.0)
        sigma = np.where(inside, sigma, sigma[edge].mean())
        return (mean, sigma, network.modes), mass

    def _scenes(self, sample, base, y_scale):
        """Bands of each cluster with their shape and pixel [arcmin], and flags."""
        seen, n = self._seen(sample), len(sample)
        card = _network(self.network).card
        flag = np.zeros(n, int)
        for values, (low, high) in (
            (base.log10_mass, card["log10_mass"]),
            (base.redshift, card["redshift"]),
        ):
            flag[(values < low) | (values > high)] |= MassMapFlag.BEYOND_MOCKS
        geometry, maps = self._aligned(sample, seen)
        beam, noise, y500 = np.zeros(n), np.zeros(n), np.ones(n)
        if "y" in seen:
            _, y500 = mass_curve(
                base.log10_mass[:, np.newaxis], base.redshift, "planck2015", y_scale, base.cosmology
            )
            y500 = y500[:, 0]
            fwhm = 0 * u.arcmin if sample.cutouts.beam is None else sample.cutouts.beam
            beam = fwhm.to_value(u.arcmin) / base.theta
            noise = self._noise(sample, base.theta)
            loud = noise * base.theta**2 / y500 > _LOUDEST
            flag[(beam > _WIDEST) | loud] |= MassMapFlag.BEYOND_MOCKS
        luminosity = np.full(n, np.nan)
        if "xray" in seen and sample.fields["xray"].unit.is_equivalent(_BRIGHTNESS):
            distance = angular_diameter_distance(base.redshift, base.cosmology) * _CM_PER_MPC
            luminosity = 4 * np.pi * (distance * (1 + base.redshift) ** 2) ** 2
        scenes = []
        for i in range(n):
            bands = (maps[band][i] if band in maps else None for band in BANDS)
            told = Bands(*bands, y500[i], beam[i], noise[i], luminosity[i])
            scenes.append((told, geometry.shape, geometry.pixel_side("arcmin")))
        return scenes, flag

    def _noise(self, sample, theta):
        noise = sample.cutouts.noise if self.noise is None else self.noise
        if isinstance(noise, str) and noise == "none":
            return np.zeros(len(sample))
        if isinstance(noise, str) and noise == "planck":
            noise = NoiseModel.planck()
        if noise is None:
            raise InvalidInputError(
                "The noise of the cutouts' map is not known, and the result depends on it. Say it "
                "with noise=...: a NoiseModel, 'planck', or 'none' for maps without noise."
            )
        check_kind(noise, "NoiseModel", "noise")
        return noise_in_disc(noise, theta) * depth_of(sample)

    def _aligned(self, sample, seen):
        """The grid that all bands have, and maps with their valid pixels by band."""
        maps, geometry = {}, None
        for band in seen:
            stack = sample.cutouts if band == "y" else sample.fields[band]
            if geometry not in (None, stack.geometry):
                raise InvalidInputError(
                    f"The bands must be on one grid. Received: {band!r} on {stack.geometry!r}, "
                    f"another on {geometry!r}"
                )
            geometry = stack.geometry
            if geometry.relative:
                raise InvalidInputError(
                    "The pixel_scale of the bands must be an angle. Received: a part of another"
                )
            if band == "y":
                maps[band] = list(zip(stack.data, stack.footprint, strict=True))
                continue
            wanted = u.ct if band == "galaxies" else None
            unit, factor = stack.unit, 1.0
            if band == "xray" and unit.is_equivalent(_BRIGHTNESS):
                factor = unit.to(_BRIGHTNESS)
            elif unit != u.ct:
                raise InvalidInputError(
                    f"The field {band!r} must be in ct{'' if wanted else ', or a brightness'}. "
                    f"Received: {unit}"
                )
            stack = stack[cutout_rows(stack, sample.names, sample.coord)]
            maps[band] = [(image * factor, np.isfinite(image)) for image in stack.data]
        return geometry, maps


MAP_ESTIMATORS.add(UNetMaps.tag, UNetMaps)
