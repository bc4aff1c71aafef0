"""Regressions of the state as plain arrays, which files of fits and of networks hold."""

import numpy as np

from szmass.morphology.states import StateRegression

_EVERY = 4  # quantiles that are kept, of those of a regression
_STACKED, _SINGLE = ("quantiles", "correlation"), ("levels", "residuals", "number", "shrinkage")


def thinned(fit):
    """Keep what files keep of a regression: every fourth quantile, and 32 bits."""
    single = [np.asarray(a, np.float32).astype(float) for a in (fit.quantiles, fit.correlation)]
    return StateRegression(
        fit.state, fit.names, fit.levels[::_EVERY], single[0][:, ::_EVERY], single[1],
        number=fit.number, shrinkage=fit.shrinkage, residuals=fit.residuals[::_EVERY],
    )  # fmt: skip


def packed(name, fits):
    """Give regressions on the same parameters as arrays by name."""
    arrays = {}
    for what in _STACKED:
        arrays[f"{name}/{what}"] = np.array([getattr(fit, what) for fit in fits], np.float32)
    for what in _SINGLE:
        arrays[f"{name}/{what}"] = np.array([getattr(fit, what) for fit in fits])
    return arrays


def unpacked(arrays, name, definition, parameters):
    """Give the regressions of a definition that `packed` turned into arrays."""
    columns = ("levels", "quantiles", "correlation", "residuals", "number", "shrinkage")
    rows = zip(*(arrays[f"{name}/{column}"] for column in columns), strict=True)
    return [
        StateRegression(
            definition, parameters, levels, quantiles, correlation,
            number=int(number), shrinkage=float(shrinkage), residuals=residuals,
        )
        for levels, quantiles, correlation, residuals, number, shrinkage in rows
    ]  # fmt: skip
