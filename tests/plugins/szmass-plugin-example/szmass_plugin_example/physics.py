"""A scaling relation, a pressure profile, models of clusters, of their states and of baryons."""

import dataclasses

import astropy.units as u

from szmass.physics import GNFWProfile, PowerLawBaryonModel, ScalingRelation
from szmass.simulations import ClusterModel, get_state_model

EXAMPLE_RELATION = ScalingRelation(
    name="example-relation",
    log10_y_star=-0.19,
    alpha=1.67,
    beta=0.67,
    sigma_lny=0.15,
    references=("2016A&A...594A..24P",),
)

EXAMPLE_PROFILE = GNFWProfile(
    name="example-profile",
    p0=8.0,
    c500=1.2,
    gamma=0.31,
    alpha=1.05,
    beta=5.5,
    references=("2010A&A...517A..92A",),
)

EXAMPLE_MODEL = ClusterModel(
    name="example-model",
    profile=EXAMPLE_PROFILE,
    one_minus_b=0.75,
    subhaloes=False,
    merging=0.0,
)

EXAMPLE_STATES = dataclasses.replace(
    get_state_model("the300-gadget-x"), name="example-states", sigma_ln_concentration=0.2
)

EXAMPLE_BARYONS = PowerLawBaryonModel(
    "example-baryons",
    "gas of an example",
    {"mgas500": (6e13, 1.2, 0, 0, 0.1), "t_mw": (5.0, 0.6, 0, 2 / 3, 0.1)},
    pivot=(5e14 * u.solMass, 0.3),
    mass_range=[1e14, 2e15] * u.solMass,
    redshift_range=(0, 1),
)
