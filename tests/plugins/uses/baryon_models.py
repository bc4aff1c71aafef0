"""Use of a baryon model of another package: its contract, and a table by its name."""

import astropy.units as u
from astropy.table import QTable

from szmass.physics import get_baryon_model, spread
from szmass.physics.baryons.checks import check_baryon_model

check_baryon_model(get_baryon_model("example-baryons"))

halos = QTable({"m500c": [5e14] * u.solMass, "redshift": [0.3]})
table = get_baryon_model("example-baryons").predict(halos)
assert abs(table["t_mw"][0].to_value("keV") - 5) < 1e-9
assert set(spread(["example-baryons", "tng"], halos)["property"]) == {"mgas500", "t_mw"}
