"""Noise of Compton-y maps: its spectrum, its depth over the sky, and draws of it."""

from szmass.maps.noise.core import NoiseModel, get_noise_model

__all__ = ["NoiseModel", "get_noise_model"]
