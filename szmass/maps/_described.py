"""Beam, noise and sampling of whatever holds pixels of the sky."""

from szmass.maps.noise.core import get_noise_model
from szmass.maps.sampling import check_beam, get_sampling


class DescribedPixels:
    """What is known of pixels: a base of maps and cutouts; each fact is checked when it is set."""

    def _describe(self, beam, noise, sampling, interpolation=None):
        self.beam, self.noise = beam, noise
        self.sampling = get_sampling(sampling, interpolation)

    @property
    def beam(self):
        """FWHM of the map's Gaussian beam [arcmin], or None if it is not known."""
        return self._beam

    @beam.setter
    def beam(self, beam):
        self._beam = check_beam(beam)

    @property
    def noise(self):
        """Noise of the map, a `NoiseModel`, or None if it is not known."""
        return self._noise

    @noise.setter
    def noise(self, noise):
        self._noise = None if noise is None else get_noise_model(noise)

    @property
    def sampling(self):
        """How the pixels hold the sky behind the beam, a `~szmass.maps.Sampling`."""
        return self._sampling

    @sampling.setter
    def sampling(self, sampling):
        self._sampling = get_sampling(sampling)

    @property
    def facts(self):
        """Beam, noise and sampling as a dict, to be handed on to what is made of the pixels."""
        return {"beam": self.beam, "noise": self.noise, "sampling": self.sampling}
