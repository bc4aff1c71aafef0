"""How many of some made-up models are unbiased enough, and made-up losses."""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table

from szmass.plots import plot_selection, plot_training

rng = np.random.default_rng(3)
bins = ["(0, 0.1]", "(0.1, 0.2]", "(0.2, 0.4]", "(0.4, 1]"]
models = Table({"redshift_bin": np.repeat(bins, 100)})
models["bias_max"] = np.concatenate(
    [rng.gamma(4, scale, 100) for scale in (0.03, 0.02, 0.012, 0.015)]
)
epoch = np.arange(1, 101)
loss = 0.004 + 0.08 / epoch
histories = {
    "biased": {"loss": loss, "val_loss": 1.25 * loss * rng.lognormal(0, 0.05, 100)},
    "unbiased": {"loss": loss, "val_loss": 1.05 * loss * rng.lognormal(0, 0.02, 100)},
}

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
plot_selection(models, ax=left, threshold=0.05)
plot_training(histories, ax=right)
