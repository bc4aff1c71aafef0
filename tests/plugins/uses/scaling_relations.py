"""Use of a scaling relation of another package: masses from it, also on the command line."""

import numpy as np
from click.testing import CliRunner

from szmass.cli import main
from szmass.estimators import ScalingRelationMass
from szmass.estimators.checks import check_estimator, make_check_sample
from szmass.physics import SCALING_RELATIONS
from szmass.results import masses_of, methods_of, read_masses

assert "example-relation" in SCALING_RELATIONS
check_estimator(ScalingRelationMass(relation="example-relation"))
sample = make_check_sample(4)
sample.table.write("clusters.ecsv")
command = "estimate --catalog clusters.ecsv --estimators scaling --output masses.ecsv"
done = CliRunner().invoke(main, [*command.split(), "--set", "scaling.relation=example-relation"])
assert done.exit_code == 0, done.output
table = read_masses("masses.ecsv")
assert methods_of(table)["scaling"]["relation"] == "example-relation"
expected = ScalingRelationMass(relation="example-relation").predict(sample)["mass"].value
assert np.allclose(masses_of(table, "scaling").mass, expected, rtol=1e-6)
