"""Noise of Compton-y maps: its spectrum, its depth over the sky, and draws of it."""

from szmass.maps.noise.core import NoiseModel

__all__ = ["NoiseModel"]
