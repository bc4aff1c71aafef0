"""Demonstration on a simulated sky: catalogue, map, cutouts, masses, and how good they are."""

from szmass.demo.core import Demo, make_demo, run_demo

__all__ = ["Demo", "make_demo", "run_demo"]
