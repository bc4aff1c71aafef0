"""A mapping of names to objects whose mistakes are explained."""

import functools
import inspect
import warnings
from collections.abc import Mapping
from importlib.metadata import entry_points

from szmass._utils.names import did_you_mean
from szmass.exceptions import DuplicateNameError, InvalidInputError, SzmassWarning, UnknownNameError

_SHOWN = 40  # names in a repr

# Docstrings of functions of `Registry.getter`, after what they say themselves.
_PARAMETERS = """

    Parameters
    ----------
    {argument} : str or `{cls}`
        A key of `{key}`, or {a_noun}.
"""
_THE_REST = """
    Returns
    -------
    `{cls}`
        The {noun}.

    Raises
    ------
    UnknownNameError
        No {noun} has that name; the message lists them.
    InvalidInputError
        Neither a name nor {a_noun} was given.
    """


def _a(word):
    return f"{'an' if word[0] in 'AEIOaeio' else 'a'} {word}"


class Registry(Mapping):
    """Named objects: a duplicate is an error, an unknown name lists the choices.

    Parameters
    ----------
    kind : str
        What the objects are, for the messages ("estimator", "pressure profile").
    entry_point_group : str, optional
        Group of entry points through which other packages add objects; read when a name is
        looked up that is not known, or all names are.
    check : callable, optional
        Called with a name and an object before it is added; raises where they do not fit.
    """

    def __init__(self, kind, entry_point_group=None, check=None):
        self.kind, self.group, self._check = kind, entry_point_group, check
        self._objects, self._makers = {}, {}
        self._pending_group = entry_point_group

    def add(self, name, obj):
        """Register an object.

        Parameters
        ----------
        name : str
            The key.
        obj : object
            What the key stands for. Adding the same object twice is allowed.

        Returns
        -------
        object
            ``obj``, so that this serves as a decorator's last step.

        Raises
        ------
        DuplicateNameError
            Another object has that name.
        """
        if self._check is not None:
            self._check(name, obj)
        present = self[name] if name in self._names else None
        if present is not None and present is not obj:
            raise DuplicateNameError(
                f"The {self.kind} name {name!r} is taken by {present!r}; choose another name "
                f"for {obj!r}."
            )
        self._objects[name] = obj
        return obj

    def add_lazily(self, name, make):
        """Register an object that is made when it is first looked up, for what takes long.

        Parameters
        ----------
        name : str
            The key.
        make : callable
            Called without arguments; gives what the key stands for.
        """
        self._makers[name] = make

    def resolve(self, value, cls, argument, expected):
        """Look a name up, or pass an object through.

        Parameters
        ----------
        value : object
            What the caller passed: a name, or an object.
        cls : type
            The class of such objects.
        argument : str
            Name of the argument, for the error message.
        expected : str
            What it must be, for the error message.

        Returns
        -------
        object
            An instance of ``cls``.

        Raises
        ------
        UnknownNameError
            No object has that name.
        InvalidInputError
            Neither a name nor such an object was given.
        """
        if isinstance(value, str):
            return self[value]
        if isinstance(value, cls):
            return value
        raise InvalidInputError(f"'{argument}' must be {expected}. Received: {value!r}")

    def getter(self, cls, example):
        """Make a function that looks up, or passes through, of its name, argument and docstring.

        A decorator of functions of one argument and no body. It adds what the docstrings of all of
        them say alike, and what is said of the argument where they do not say it.

        Parameters
        ----------
        cls : type
            The class of the objects.
        example : str
            A name, for the error message.

        Returns
        -------
        callable
            The decorator.
        """
        noun = self.kind.rpartition(" ")[2]
        known = {"noun": noun, "a_noun": _a(noun), "cls": cls.__name__}
        known["key"] = self.kind.upper().replace(" ", "_") + "S"

        def fill(function):
            signature = inspect.signature(function)
            (argument,) = signature.parameters
            said, mark, examples = function.__doc__.partition("\n\n    Examples\n")
            alike = _THE_REST if "Parameters" in said else _PARAMETERS + _THE_REST
            alike = alike.format(argument=argument, **known)

            @functools.wraps(function)
            def get(*args, **kwargs):
                (value,) = signature.bind(*args, **kwargs).args
                expected = f"a name such as {example!r}, or {_a(cls.__name__)}"
                return self.resolve(value, cls, argument, expected)

            parts = [said.rstrip(), alike.strip("\n").rstrip()]
            get.__doc__ = "\n\n".join(parts) + mark + (examples or "\n    ")
            return get

        return fill

    def _load_entry_points(self):
        group, self._pending_group = self._pending_group, None
        for point in entry_points(group=group) if group else ():
            try:
                self.add(point.name, point.load())
            except Exception as err:  # noqa: BLE001 - a broken plug-in must not break the others
                warnings.warn(
                    f"The {self.kind} {point.name!r} of {point.value!r} could not be loaded: {err}",
                    SzmassWarning,
                    stacklevel=3,
                )

    def __getitem__(self, name):
        if name not in self:
            raise UnknownNameError(
                f"No {self.kind} is named {name!r}.{did_you_mean(name, list(self))} "
                f"Known: {', '.join(self)}."
            )
        if name not in self._objects:
            self._objects.setdefault(name, self._makers[name]())
        return self._objects[name]

    def __contains__(self, name):
        # What is known needs no plug-in: look-ups happen while what plug-ins import is imported.
        if name not in self._names:
            self._load_entry_points()
        return name in self._names

    def __iter__(self):
        self._load_entry_points()
        return iter(sorted(self._names))

    def __len__(self):
        self._load_entry_points()
        return len(self._names)

    def __repr__(self):
        names = list(self)
        more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"<Registry: {len(names)} of kind {self.kind!r}: {', '.join(names[:_SHOWN])}{more}>"

    @property
    def _names(self):
        return self._objects.keys() | self._makers.keys()
