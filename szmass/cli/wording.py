"""Messages of the library in the words of the shell: options where it names Python arguments.

Messages of the library speak Python: ``beam='10 arcmin'``, "'beam' must be ...". Whatever of it is
an option of the command that runs is said so here, for errors and warnings alike.
"""

import re
import shlex

import click

__all__ = ["in_shell_words", "one_line", "tell_reader"]

# Arguments that the library calls otherwise than the command that passes them on.
_OTHER_NAMES = {"dataset": "data", "n": "number", "tag": "tags"}
# Arguments whose names are those of columns or everyday words: they are one only before "must".
_EVERYDAY = {
    *("mass", "redshift", "n", "model", "number", "column", "title", "by", "mode", "seed", "unit"),
}
# Options on the columns of tables, which commands may lack: another one reads such tables.
_COLUMN_OPTIONS = {"columns": "--column", "units": "--unit", "missing": "--missing"}
_VALUE = r"(\{[^{}]*\}|\([^()]*\)|'[^']*'|\"[^\"]*\"|\.\.\.|[\w.+-]+(?: \* u\.\w+)?)"
_PAIR = re.compile(r"'([^']*)': (?:'([^']*)'|([^',{}]+))")
# Arguments and calls of Python, which are left where there is no option for them.
_PYTHON = re.compile(
    r" (?:[a-z]\w*=(?:['\"{(]|\.\.\.|True\b|False\b|None\b)|\w+\.[\w.]+(?:\(| = ))"
)
# What is said in calls, and the option that stands for it; the call goes where there is the option.
_CALLS = (
    ("map_path", r"\b(?:call )?sample\.attach_cutouts\(\w+\)(?: first)?", "give the map by --map"),
    ("beam", r"\bComptonMap\.read\(\.\.\., beam=10 \* u\.arcmin\)", "--beam '10 arcmin'"),
    (None, r"\bopen any copy with ComptonMap\.read\(.*?\*\*.*?\)", "give any copy by --map"),
    ("noise", r"\ba NoiseModel of the map, .*?, or 'planck'", "'planck'; a file goes to --noise"),
    ("noise", r"NoiseModel\.from_empty_fields\([^()]*\)", "--noise empty-fields"),
    ("noise", r"\ba NoiseModel\b", "a file that NoiseModel.write wrote"),
    (None, r"\b(?:use|read it with) (?:szmass\.)?[\w.'\[\]]+\.read(?:\(path\))?", "give its path"),
    (None, r"\ba Quantity with a unit that", "a number with a unit that"),
    (None, r"(?<=for instance )'?(.*?)'? \* astropy\.units\.Unit\('(.*?)'\)", r"'\1 \2'"),
    ("readme", r"(?<=, or )(?:pass )readme=\.\.\.", "give it by --readme"),
    (None, r"(?:, or| or|,) (?:pass )?readme=\.\.\.", ""),
    ("columns", r" use ClusterSample\.from_table\b", " use --column"),
    ("columns", r"\bUse ClusterSample\.read\b", "Say with --column what they are"),
    ("columns", r", for instance \{'coord': .*?\} in 'columns'", " with --column"),
    ("options", r"(the estimator '([\w-]+)') with (\w+)=", r"\1 with --set \2.\3="),
)


def one_line(text):
    """Put a text into one line, and shorten what no terminal holds."""
    text = re.sub(r"\s*[\r\n]\s*", " ", str(text).strip())
    return text if len(text) <= 2000 else f"{text[:2000]} ..."


def tell_reader(ctx, **facts):
    """Remember what messages of this run need: ``settings`` of --set, the ``prefix`` in a match."""
    ctx.meta.setdefault(__name__, {}).update(facts)


def in_shell_words(text, command, ctx):
    """Say a message of the library in options of a command.

    Parameters
    ----------
    text : str
        The message.
    command : `click.Command` or None
        The command that runs; without one the message stays.
    ctx : `click.Context`
        The context of the call, which knows what `tell_reader` was told.

    Returns
    -------
    str
        The message in one line.
    """
    text = one_line(text)
    if command is None:
        return text
    told = ctx.meta.get(__name__, {})
    for path, shown in told.get("streams", {}).items():
        text = text.replace(repr(path), shown).replace(path, shown)
    flags = {
        param.name: param.opts[-1] if len(param.opts) == 1 else max(param.opts, key=len)
        for param in command.params
        if isinstance(param, click.Option)
    }
    flags |= {
        ours: flags[theirs]
        for ours, theirs in _OTHER_NAMES.items()
        if theirs in flags and ours not in flags
    }
    for option, pattern, said in _CALLS:
        if option is None or option in flags:
            text = re.sub(pattern, said, text)
    elsewhere = "" if "units" in flags else " of 'szmass catalog'"
    words = _Words(flags, told.get("prefix", ""), told.get("settings", {}), elsewhere)
    text = re.sub(rf"(?<!\.)\b(\w+)={_VALUE}", words.assignment, text)
    text = re.sub(r"(?<!column )'(\w+)'( must)?", words.name, text)
    if _PYTHON.search(text):
        text += f" (That is Python: 'szmass {command.name}' has no option for it.)"
    return text


class _Words:
    """Replacements of what the patterns above find."""

    def __init__(self, flags, prefix, settings, elsewhere):
        self.flags, self.prefix, self.settings = flags, prefix, settings
        self.elsewhere = elsewhere

    def assignment(self, found):
        name, text = found.groups()
        tail = ""
        if text.endswith((".", ",")) and text != "...":
            text, tail = text[:-1], text[-1]
        if name in _COLUMN_OPTIONS:
            said = self._pairs(_COLUMN_OPTIONS[name], text)
            return found.group() if said is None else f"{said}{self.elsewhere}{tail}"
        if name not in self.flags:
            return found.group()
        if text == "True":
            return f"{self.flags[name]}{tail}"
        text = re.sub(r" \* u\.(\w+)$", r" \1", text)
        text = text[1:-1] if text[:1] in "'\"" else text
        return f"{self.flags[name]} {text if text == '...' else shlex.quote(text)}{tail}"

    def _pairs(self, flag, text):
        """Options of a dict by column; None for what is no dict."""
        if text == "...":
            return f"{flag} ..."
        pairs = ((key, quoted or bare) for key, quoted, bare in _PAIR.findall(text))
        said = " ".join(f"{flag} {shlex.quote(f'{self.prefix}{k}={v}')}" for k, v in pairs)
        return said or None

    def name(self, found):
        name, must = found.group(1), found.group(2) or ""
        for tag, options in self.settings.items():
            if must and name in options:
                return f"'--set {tag}.{name}'{must}"
        if name in self.flags and (must or name not in _EVERYDAY):
            return f"'{self.flags[name]}'{must}"
        return found.group()
