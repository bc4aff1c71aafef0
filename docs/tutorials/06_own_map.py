"""
Your own map
============

szmass weighs clusters in any Compton-y map: a FITS image with a celestial WCS, or a HEALPix array. What it has to be told are
the beam and the noise. This lesson makes an image as a ground-based telescope might, and uses it.
"""

# %%
# An image
# --------
#
# Eight degrees wide, with pixels of one arcminute and a beam of 5 arcmin, around 150 deg, +2 deg.
# Ten clusters of known mass are in it, by the universal pressure profile, one of them at the edge,
# and noise.

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from scipy.ndimage import fourier_gaussian, fourier_uniform, gaussian_filter

from szmass.physics import get_pressure_profile

side, beam = 480, 5 * u.arcmin
wcs = WCS(naxis=2)
wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
wcs.wcs.crval, wcs.wcs.crpix = [150, 2], [(side + 1) / 2] * 2
wcs.wcs.cdelt = [-1 / 60, 1 / 60]

rng = np.random.default_rng(6)
grid = [-125, 0, 125]
columns, rows = (x.ravel() + side / 2 for x in np.meshgrid(grid, grid))
columns, rows = np.append(columns, side - 30), np.append(rows, 300)
coord = wcs.pixel_to_world(columns, rows)
mass = 10 ** rng.uniform(14.6, 15.1, 10) * u.solMass
redshift = rng.uniform(0.15, 0.6, 10)

profile = get_pressure_profile("arnaud2010")
y, x = np.indices((side, side))
image = np.zeros((side, side))
for i in range(10):
    angle = np.hypot(x - columns[i], y - rows[i]) * u.arcmin
    image += profile.compton_y(angle, mass[i], redshift[i], cosmology="PSZ2")
sigma = beam.to_value("arcmin") / np.sqrt(8 * np.log(2))
seen = fourier_uniform(
    fourier_gaussian(np.fft.fft2(image), sigma), 1
)  # beam, and mean over a pixel
noise_map = gaussian_filter(rng.normal(0, 1.2e-5, image.shape), sigma / 2)
sky = np.fft.ifft2(seen).real + noise_map

# %%
# It goes into a file as any image does. The unit is said because maps in kelvin exist as well;
# they are refused.

import tempfile
from pathlib import Path

path = Path(tempfile.mkdtemp()) / "mine.fits"
header = wcs.to_header()
header["BUNIT"] = ""
fits.PrimaryHDU(sky.astype("f4"), header).writeto(path)

# %%
# Open it
# -------
#
# The header says where the pixels are. It does not know the beam, so we do.

from szmass import ComptonMap

ymap = ComptonMap.read(path, beam=beam)
print(ymap)

# %%
# Your clusters
# -------------
#
# A catalogue is any table with names, positions and redshifts; usual column names are found
# (:doc:`/guide/clusters`). We add one that is outside the map.

from astropy.table import QTable

from szmass import ClusterSample

catalogue = QTable({"name": [*(f"C{i}" for i in range(10)), "outside"]})
catalogue["ra"] = np.append(coord.ra.deg, 170) * u.deg
catalogue["dec"] = np.append(coord.dec.deg, 2) * u.deg
catalogue["redshift"] = np.append(redshift, 0.3)
sample = ClusterSample.from_table(catalogue)

# %%
# The grid of the cutouts is ours to choose. Pixels of 1 arcmin suit this beam; the default of 1.7
# arcmin is that of Planck.

from szmass.maps import CutoutGeometry

geometry = CutoutGeometry(shape=(96, 96), pixel_scale=1 * u.arcmin, frame="icrs")
sample.attach_cutouts(ymap, geometry=geometry)

import matplotlib.pyplot as plt

from szmass.plots import plot_gallery

shown = sample[sample.cutouts.footprint.any(axis=(1, 2))]
_ = plt.figure(plot_gallery(shown, columns=5))

# %%
# What the map does not cover is grey.
#
# Its noise
# ---------
#
# A matched filter weighs by the noise, and its errors are those of the noise model. That of Planck
# would be wrong here, and with another beam it is refused. Ours is measured in the map, away from
# the known clusters:

from szmass.maps import NoiseModel

noise = NoiseModel.from_empty_fields(ymap, exclude=coord, radius="30 arcmin")
print(noise)

# %%
# Weigh
# -----
#
# The filter takes the pixels of the map to be as large as those of the cutouts, which is so here;
# ``map_pixel`` says otherwise. The clusters were painted with the profile as it is, so that 1-b = 1
# is right, and the relation that belongs to the profile is ``"arnaud2010"``.

import warnings

from szmass import estimate_masses
from szmass.estimators import MatchedFilterMass
from szmass.exceptions import UnweighedClustersWarning
from szmass.results import MassFlag

estimator = MatchedFilterMass(noise=noise, relation="arnaud2010")
with warnings.catch_warnings():
    warnings.simplefilter("ignore", UnweighedClustersWarning)
    table = estimate_masses(sample, estimator)

truth = np.append(mass.to_value("1e14 solMass"), np.nan)
for row, true in zip(table, truth, strict=True):
    value, low, high = (
        row[f"{name}_matched_filter"].to_value("1e14 solMass")
        for name in ("mass", "mass_errn", "mass_errp")
    )
    flag = MassFlag.describe(row["flag_matched_filter"])
    masses = f"{value:6.2f} -{low:.2f} +{high:.2f}   true {true:6.2f}"
    print(f"{row['name']:8} {masses}   {flag}")

# %%
# The network that ships was trained on cutouts of Planck maps: its model card says so, and it
# refuses these. For a map like this one, train one (:doc:`04_simulate_and_train`) on simulations
# with this beam and noise.
#
# A HEALPix array
# ---------------
#
# The array alone does not say its ordering and frame, so the caller does. NaN, UNSEEN and what
# ``mask`` marks are invalid.

import healpy

nside = 256
healpix = np.zeros(12 * nside**2, dtype="f4")
latitude = healpy.pix2ang(nside, np.arange(healpix.size), lonlat=True)[1]
galactic_plane = np.abs(latitude) < 20
ymap = ComptonMap.from_healpix(
    healpix, ordering="ring", frame="galactic", beam="30 arcmin", mask=galactic_plane
)
cutout = ymap.cutout(SkyCoord(100, 20.5, unit="deg", frame="galactic"))
print(f"{100 * cutout.footprint.mean():.0f} % of the cutout is covered")

# %%
# On the command line a file is enough::
#
#     szmass estimate --catalog mine.ecsv --map mine.fits --beam "5 arcmin" --noise empty-fields --estimators matched_filter -o masses.ecsv
#
# More of it in :doc:`/guide/maps` and :doc:`/guide/noise`.

path.unlink()
path.parent.rmdir()
