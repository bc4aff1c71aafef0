"""The plot of size and signal."""

import astropy.units as u
import numpy as np
import pytest

from szmass.estimators import MatchedFilterMass
from szmass.estimators.checks import make_check_sample
from szmass.exceptions import InvalidInputError
from szmass.plots import plot_signal_surface

pytest.importorskip("matplotlib").use("Agg")


def test_surface_is_drawn():
    from matplotlib import pyplot as plt

    sample = make_check_sample(2)
    surface = MatchedFilterMass().surface(sample, 1)
    ax = plot_signal_surface(surface)
    assert ax.get_title() == "check 1"
    assert ax.get_xscale() == "log"
    (line,) = ax.get_lines()
    np.testing.assert_array_equal(line.get_xdata(), surface.curve[0].to_value(u.arcmin))
    ax.figure.canvas.draw()
    plt.close(ax.figure)


def test_without_redshift_there_is_no_curve():
    from matplotlib import pyplot as plt

    sample = make_check_sample(2)
    sample.table["redshift"].mask[0] = True
    surface = MatchedFilterMass().surface(sample, "check 0")
    assert surface.curve is None
    figure, ax = plt.subplots()
    assert plot_signal_surface(surface, ax=ax) is ax
    assert not ax.get_lines()
    plt.close(figure)


def test_something_else_is_refused():
    with pytest.raises(InvalidInputError, match="'surface' must be a SignalSurface"):
        plot_signal_surface([1, 2])
