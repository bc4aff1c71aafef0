"""Use of an estimator of another package: its contract, the library and the command line."""

import sys

import numpy as np
from click.testing import CliRunner

from szmass import estimate_masses
from szmass.cli import main
from szmass.estimators import ESTIMATORS
from szmass.estimators.checks import ESTIMATOR_CHECKS, make_check_sample
from szmass.results import LogMassPosterior, masses_of, methods_of, read_masses

assert "szmass_plugin_example.estimator" not in sys.modules
for check in ESTIMATOR_CHECKS:
    check(ESTIMATORS["example-mass"]())

sample = make_check_sample(4)
posteriors = {}
table = estimate_masses(sample, ["example-mass", "scaling"], posteriors=posteriors, one_minus_b=0.8)
alone = estimate_masses(sample, "example-mass")
assert np.array_equal(table["mass_example_mass"], alone["mass_example_mass"])
median = posteriors["example-mass"].median().to_value("solMass")
assert np.allclose(table["mass_example_mass"].to_value("solMass"), median, rtol=1e-6)

sample.table.write("clusters.ecsv")
command = "estimate --catalog clusters.ecsv --estimators example-mass --output masses.ecsv"
done = CliRunner().invoke(
    main, [*command.split(), "--set", "example-mass.scatter=0.3", "--posteriors", "p.fits"]
)
assert done.exit_code == 0, done.output
assert "example-mass: 4 weighed" in done.output
masses = read_masses("masses.ecsv")
assert list(methods_of(masses)) == ["example-mass"]
assert np.isfinite(masses_of(masses, "example-mass").mass).all()
wider = LogMassPosterior.read("p.fits")
narrow = posteriors["example-mass"]
widths = [np.log(high / low).value for low, high in (wider.interval(), narrow.interval())]
assert np.all(widths[0] > widths[1])
