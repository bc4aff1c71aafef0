"""Use of a pressure profile of another package: integrals of it, and an estimator by its name."""

import astropy.units as u
import numpy as np

from szmass.estimators import ScalingRelationMass
from szmass.estimators.checks import make_check_sample
from szmass.physics import get_pressure_profile

profile = get_pressure_profile("example-profile")
y500, y5r500 = (
    profile.y_spherical(6e14 * u.solMass, 0.2, cosmology="PSZ2", x_max=x_max) for x_max in (1, 5)
)
assert np.isclose(y500 / y5r500, profile.y500_over_y5r500, rtol=1e-6)
masses = ScalingRelationMass(profile="example-profile").predict(make_check_sample(4))
assert np.isfinite(masses["mass"]).all()
assert masses.meta["profile"] == "example-profile"
