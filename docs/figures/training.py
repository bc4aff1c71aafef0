"""Twenty trainings by the published protocol in each redshift bin: choice, losses, errors."""

from pathlib import Path

import astropy.units as u
import matplotlib.pyplot as plt
from astropy.table import QTable, Table

from szmass.plots import plot_relative_error, plot_selection, plot_training

folder = Path.cwd()
models = Table.read(folder / "paper_protocol.csv")
losses = Table.read(folder / "paper_protocol_losses.csv")
test = QTable.read(folder / "paper_protocol_test.csv")
for name in ("mass_true", "mass_cnn"):
    test[name] = test[name] * u.Unit("1e14 solMass")

fig, axes = plt.subplots(1, 3, figsize=(16, 4.4), layout="constrained")
plot_selection(models, ax=axes[0], threshold=0.05)
groups = losses.group_by("redshift_bin").groups
plot_training({group["redshift_bin"][0]: group for group in groups}, ax=axes[1])
plot_relative_error(test, "mass_cnn", ax=axes[2], labels=("CNN", "true"))
