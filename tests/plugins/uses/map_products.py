"""Use of a map release of another package: opened by its name, in the library and the shell."""

import os
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from click.testing import CliRunner

from szmass.catalogs import load_sample
from szmass.cli import main
from szmass.maps import MAP_PRODUCTS, fetch_map, open_map
from szmass.results import read_masses

wcs = WCS(naxis=2)
wcs.wcs.ctype, wcs.wcs.cunit = ["RA---CAR", "DEC--CAR"], ["deg", "deg"]
wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [0, 0], [240.5, 240.5], [-0.03, 0.03]
values = np.random.default_rng(0).normal(0, 1e-6, (480, 480)).astype(np.float32)
folder = Path("maps").absolute()
folder.mkdir()
product = MAP_PRODUCTS["example-map"]
fits.writeto(folder / product.filename, values, wcs.to_header())

assert fetch_map("example-map", folder=folder) == folder / product.filename
ymap = open_map("example-map", folder=folder)
assert ymap.beam == product.beam
assert ymap.meta["PRODUCT"] == "example-map"

os.environ["SZMASS_CACHE"] = str(folder.parent)
command = "estimate --catalog example-clusters --map example-map --covered --output masses.ecsv"
weigh = "--estimators scaling --set scaling.y=y500"
done = CliRunner().invoke(main, [*command.split(), *weigh.split()])
assert done.exit_code == 0, done.output
assert list(read_masses("masses.ecsv")["name"]) == list(load_sample("example-clusters").names)
assert "example-map" in CliRunner().invoke(main, ["fetch"]).output
