"""Decorators of public names that go: astropy's, with the warning that scripts and tests see."""

from functools import partial

from astropy.utils import decorators

__all__ = ["deprecated", "renamed_argument"]

#: ``@deprecated(since, alternative=...)`` of functions, methods, classes and getters.
deprecated = partial(decorators.deprecated, warning_type=DeprecationWarning)

#: ``@renamed_argument(old, new, since)``; several at once as lists.
renamed_argument = partial(decorators.deprecated_renamed_argument, warning_type=DeprecationWarning)
