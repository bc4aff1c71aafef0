"""Named cosmologies."""

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM, Planck18

from szmass.exceptions import InvalidInputError, UnknownNameError
from szmass.physics import COSMOLOGIES, get_cosmology


def test_psz2_is_the_cosmology_of_the_planck_sz_papers():
    cosmology = get_cosmology("PSZ2")
    assert cosmology.name == "PSZ2"
    assert (cosmology.H0.value, cosmology.Om0) == (70, 0.3)
    assert cosmology.Ogamma0 == cosmology.Onu0 == cosmology.Ok0 == 0
    z = np.array([0, 0.5, 1])
    np.testing.assert_allclose(cosmology.efunc(z), np.sqrt(0.3 * (1 + z) ** 3 + 0.7), rtol=1e-14)


def test_the_three_hundred_has_the_parameters_of_mdpl2():
    cosmology = get_cosmology("TheThreeHundred")
    assert (cosmology.H0.value, cosmology.Om0, cosmology.Ob0) == (67.8, 0.307, 0.048)
    assert cosmology.Ok0 == 0


def test_astropy_cosmologies_by_name_and_instances_pass_through():
    assert get_cosmology("Planck18") is Planck18
    own = FlatLambdaCDM(H0=65, Om0=0.25)
    assert get_cosmology(own) is own
    assert {"PSZ2", "TheThreeHundred", "Planck13", "WMAP9"} <= set(COSMOLOGIES)


def test_unknown_name_lists_the_choices():
    with pytest.raises(UnknownNameError, match=r"'PSZ1'. Did you mean 'PSZ2'\?.*Planck18"):
        get_cosmology("PSZ1")


@pytest.mark.parametrize("wrong", [None, 70, {"H0": 70}])
def test_something_else_is_refused(wrong):
    with pytest.raises(InvalidInputError, match="'cosmology' must be a name"):
        get_cosmology(wrong)
