"""A map release."""

import astropy.units as u

from szmass.maps import MapProduct

EXAMPLE_MAP = MapProduct(
    tag="example-map",
    title="A map in plate carree projection that was made up",
    filename="szmass_example_ymap.fits",
    homepage="https://example.org/ymap",
    pixels="car",
    frame="icrs",
    beam=5 * u.arcmin,
    year=2024,
    references=("2016A&A...594A..22P",),
    notes="Without an address: the file has to be put into the folder of maps by hand.",
)
