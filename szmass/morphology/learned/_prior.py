"""What is known of the dynamical state of a cluster before it is looked at."""

import numpy as np

from szmass.exceptions import UnknownNameError
from szmass.morphology.flags import StateFlag
from szmass.morphology.learned._arrays import packed, unpacked
from szmass.morphology.states import StateRegression

#: What is known of a cluster before it is looked at.
BEFORE = ("log10_mass", "redshift")


def fit_priors(table, truth):
    """Regressions on mass and redshift alone, from the numbers of each definition in mocks."""
    return {
        definition: StateRegression.fit(table, numbers, parameters=list(BEFORE), state=definition)
        for definition, numbers in truth.items()
    }


def told_before(what, priors, ranges, table, definition, levels):
    """Quantiles (N, L) of the number and P(relaxed) without an image, and flags.

    ``what`` has them, in words; ``ranges`` are those of the mocks in mass and redshift.
    """
    if definition not in priors:
        raise UnknownNameError(
            f"The {what} are not of the state {definition!r}: they know {', '.join(priors)}."
        )
    flag = np.zeros(len(table), int)
    for name, (low, high) in zip(BEFORE, ranges, strict=True):
        flag[(table[name] < low) | (table[name] > high)] |= StateFlag.BEYOND_MOCKS
    prior = priors[definition]
    p_relaxed = np.asarray(prior.predict(table)["p_relaxed"], float)
    return prior.quantile(table, levels), p_relaxed, flag


def priors_as_arrays(priors):
    """Arrays of priors by the name of the definition and what they are."""
    arrays = {}
    for definition, prior in priors.items():
        arrays |= packed(definition, [prior])
    return arrays


def priors_of_arrays(arrays, definitions):
    """Priors that `priors_as_arrays` turned into arrays."""
    return {name: unpacked(arrays, name, name, BEFORE)[0] for name in definitions}
