"""Every public object has a complete numpydoc docstring."""

import enum
import importlib
import inspect
import pkgutil

import pytest

import szmass

validate = pytest.importorskip("numpydoc.validate").validate

# Not asked for: examples and "see also" everywhere (the guide has them), an extended summary,
# capitals where a description begins with a name such as theta500.
IGNORED = {"EX01", "SA01", "SA03", "SA04", "ES01", "GL01", "GL02", "GL03", "RT04", "PR08"}


def public_objects():
    """Yield the import path of what the public modules name, and of its public members.

    Members of bases that no module names count as those of the classes that inherit them.
    """
    named = {}
    for info in pkgutil.walk_packages(szmass.__path__, "szmass."):
        if any(part.startswith("_") for part in info.name.split(".")):
            continue
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", ()):
            obj = getattr(module, name)
            ours = str(getattr(obj, "__module__", "")).startswith("szmass.")
            home = f"{obj.__module__}.{name}" if ours and hasattr(obj, "__name__") else None
            if home is not None and not home.startswith("szmass.cli."):
                named[home] = obj
    classes = {obj for obj in named.values() if inspect.isclass(obj)}
    for home, obj in named.items():
        if obj not in classes:
            yield home
            continue
        if not issubclass(obj, enum.Enum):
            yield home
        bases = [base for base in obj.__mro__[1:] if base not in classes]
        for base in [obj, *(b for b in bases if b.__module__.startswith("szmass."))]:
            for member in vars(base):
                if not member.startswith("_") and callable(getattr(obj, member)):
                    yield f"{home}.{member}"


@pytest.mark.parametrize("path", sorted(set(public_objects())))
def test_docstring(path):
    errors = validate(path)["errors"]
    wrong = [f"{code}: {text}" for code, text in errors if code not in IGNORED]
    assert not wrong, "\n".join(wrong)
