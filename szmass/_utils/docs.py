"""Docstrings that are written once."""

import inspect


class InheritsDocstrings:
    """Base of classes whose public methods have the docstrings of those that they override.

    `inspect.getdoc` finds these by itself; checks of docstrings, and ``__doc__``, do not.
    """

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        for name, member in vars(cls).items():
            method = getattr(member, "__func__", member)  # of a class method
            if inspect.isfunction(method) and not name.startswith("_") and not method.__doc__:
                bases = (vars(base).get(name) for base in cls.__mro__[1:])
                method.__doc__ = next((m.__doc__ for m in bases if m is not None), None)
