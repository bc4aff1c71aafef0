"""Use of a catalogue of another package: by its tag, from a file, and on the command line."""

import numpy as np
from astropy.table import Table
from click.testing import CliRunner

from szmass.catalogs import CATALOGS, load_catalog, load_sample
from szmass.cli import main

sample = load_sample("example-clusters", offline=True)
assert list(sample.names) == ["EX J0001.0+0100", "EX J0002.0-0030", "EX J0003.0+0000"]
assert np.array_equal(np.isnan(sample.redshift), [False, False, True])
assert np.allclose(sample.quantity("y500").value, [0.004, 0.002, 0.001])
assert len(load_sample("example-clusters", redshift=(0.1, 0.5))) == 1

# A file of unknown name is recognised by its columns.
theirs = Table(rows=[("EX J1", 1.0, 2.0, 0.3, 0.001, 0.0001)])
theirs.rename_columns(
    theirs.colnames, ["EXAMPLE_ID", "RAdeg", "DEdeg", "zEx", "Y500ex", "e_Y500ex"]
)
theirs.write("unknown.csv")
assert type(load_catalog("unknown.csv")) is CATALOGS["example-clusters"]

done = CliRunner().invoke(main, ["catalog", "example-clusters", "-o", "clusters.ecsv"])
assert done.exit_code == 0, done.output
assert "3 clusters written" in done.output
assert list(load_sample("clusters.ecsv").names) == list(sample.names)
assert "example-clusters" in CliRunner().invoke(main, ["info"]).output
