"""Measurements on cutouts: apertures, profiles and stacks."""
