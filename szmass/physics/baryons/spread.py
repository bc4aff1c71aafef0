"""How far apart physics are, beside the scatter within one."""

from itertools import combinations

import numpy as np
from astropy.table import QTable

from szmass.exceptions import InvalidInputError
from szmass.physics.baryons.model import PROPERTIES, get_baryon_model, halo_features

__all__ = ["spread"]


def spread(models, halos):
    """Compare what models say of the same haloes.

    Parameters
    ----------
    models : sequence of str or `BaryonModel`
        Two models at least.
    halos : `~astropy.table.Table` or `~szmass.baryons.HaloCatalog`
        Haloes with the columns that all of the models need.

    Returns
    -------
    `~astropy.table.QTable`
        One row per property and pair of models that have it: ``property``, ``model_a``,
        ``model_b``; ``difference``, the mean over haloes of ln of the medians, b less a, with its
        ``difference_min`` and ``difference_max``; ``scatter_a``, ``scatter_b``, the root mean
        square of the scatter within each; ``ratio``, of the mean difference to the larger of both;
        ``n``, the haloes that count, and ``n_flagged``, those of them that a model flags.

    Raises
    ------
    InvalidInputError
        There are fewer than two models, two that have no property in common, or columns are
        missing.
    UnknownNameError
        No model has that name.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from szmass.physics import spread
    >>> halos = QTable({"m500c": [3e14, 8e14] * u.solMass, "redshift": [0.0, 0.0]})
    >>> table = spread(["the300-gadgetx", "the300-gizmo"], halos)
    >>> row = table[table["property"] == "mgas500"][0]
    >>> print(f"{row['difference']:.2f}, scatter {row['scatter_a']:.2f}, {row['scatter_b']:.2f}")
    -0.19, scatter 0.05, 0.08
    """
    models = [get_baryon_model(model) for model in models]
    if len({model.name for model in models}) < max(2, len(models)):
        raise InvalidInputError(
            "'models' must be two or more different models. Received: "
            f"{', '.join(model.name for model in models) or 'none'}"
        )
    found = []
    for model in models:
        features = halo_features(halos, model.features, model.name)
        mean, covariance = model.moments(features)
        sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        found.append((model, mean, sigma, model.flags(features)))
    rows = []
    for name in PROPERTIES:
        having = [
            (model.name, mean[:, i], sigma[:, i], flags)
            for model, mean, sigma, flags in found
            for i, own in enumerate(model.properties)
            if own == name
        ]
        for (a, mean_a, sigma_a, flags_a), (b, mean_b, sigma_b, flags_b) in combinations(having, 2):
            difference = mean_b - mean_a
            known = np.isfinite(difference)
            if not np.any(known):
                continue
            apart = difference[known]
            within = [np.sqrt(np.mean(s[known] ** 2)) for s in (sigma_a, sigma_b)]
            rows.append(
                {
                    "property": name,
                    "model_a": a,
                    "model_b": b,
                    "difference": apart.mean(),
                    "difference_min": apart.min(),
                    "difference_max": apart.max(),
                    "scatter_a": within[0],
                    "scatter_b": within[1],
                    "ratio": apart.mean() / max(within),
                    "n": int(known.sum()),
                    "n_flagged": int(np.count_nonzero((flags_a | flags_b)[known])),
                }
            )
    if not rows:
        raise InvalidInputError(
            "'models' must have a property in common, of haloes whose columns are known. Received: "
            + "; ".join(f"{model.name}: {', '.join(model.properties)}" for model in models)
        )
    return QTable(rows)
