"""The U-Net of mass maps."""

from szmass.networks.unet.core import MassUNet, build_mass_unet

__all__ = ["MassUNet", "build_mass_unet"]
