"""An estimator of the dynamical state that looks at the brightest pixel alone."""

import numpy as np

from szmass.morphology import StateEstimates, StateEstimator, StateFlag


class ExampleState(StateEstimator):
    """Clusters whose brightest pixel is in the middle of the cutout are relaxed.

    Parameters
    ----------
    definition : str, optional
        Definition of the state.
    """

    tag = "example-state"
    description = "place of the brightest pixel"
    requires = frozenset({"redshift", "cutout"})
    references = ("2021MNRAS.504.5383D",)

    def __init__(self, *, definition="deluca2021"):
        self.definition = definition

    def _extra_meta(self, sample):
        return {"noise": None, "trained_on": {}}

    def _tell(self, sample):
        data = np.where(sample.cutouts.footprint, np.nan_to_num(sample.cutouts.data), 0)
        n, ny, nx = data.shape
        brightest = data.reshape(n, -1).argmax(axis=1)
        far = np.hypot(brightest // nx - (ny - 1) / 2, brightest % nx - (nx - 1) / 2)
        seen = data.any(axis=(1, 2)) & (np.abs(data).max(axis=(1, 2)) < 1)
        flag = np.where(seen, 0, StateFlag.PRIOR | StateFlag.NO_IMAGE)
        p_relaxed = np.where(seen, np.exp(-far / 5), 0.4)
        log_chi = np.where(seen, 0.2 * (p_relaxed - 0.4), 0.0)
        error = np.full(n, 0.2)
        return StateEstimates(log_chi, error, error, p_relaxed, np.full(n, 0.4), flag)
