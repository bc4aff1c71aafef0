"""Papers that szmass cites: BibTeX entries by ADS bibcode."""

import importlib.resources
import re
from dataclasses import dataclass, field

from szmass._utils.registry import Registry
from szmass.exceptions import FileFormatError
from szmass.version import __version__

__all__ = ["BIBLIOGRAPHY", "Paper", "add_papers"]

#: Papers by ADS bibcode, and software without one by its usual BibTeX key.
BIBLIOGRAPHY = Registry("paper")

_ENTRY = re.compile(r"@(\w+)\s*\{\s*([^\s,{}]+)\s*,")
_FIELD = re.compile(r"\s*(\w+)\s*=\s*")
_BIBCODE = re.compile(r"\d{4}[A-Za-z&.]{5}[\w.]{9}[A-Z.]")
_ACCENTS = re.compile(r"\{?\\[\"'`^~=.uvHcdbt]\s*\{?\\?(\w)\}?\}?")


@dataclass(frozen=True)
class Paper:
    """A BibTeX entry.

    Parameters
    ----------
    key : str
        The ADS bibcode, or the usual key where there is none.
    kind : str
        Type of the entry, for instance ``"article"``.
    fields : dict
        Its fields, as LaTeX.
    """

    key: str
    kind: str
    fields: dict = field(repr=False)

    @property
    def bibtex(self):
        """The entry, a str."""
        width = max(map(len, self.fields), default=0)
        lines = [f"  {name:<{width}} = {{{value}}}" for name, value in self.fields.items()]
        return f"@{self.kind}{{{self.key},\n" + ",\n".join(lines) + "\n}"

    @property
    def url(self):
        """Where it is found, a str: its DOI, its page at ADS or arXiv, or None."""
        if "doi" in self.fields:
            return f"https://doi.org/{self.fields['doi']}"
        if _BIBCODE.fullmatch(self.key):
            return f"https://ui.adsabs.harvard.edu/abs/{self.key.replace('&', '%26')}/abstract"
        if "eprint" in self.fields:
            return f"https://arxiv.org/abs/{self.fields['eprint']}"
        link = re.search(r"https?://[^\s{}]+", self.fields.get("howpublished", ""))
        return link.group() if link else None

    @property
    def citation(self):
        """One line of plain text, such as "Arnaud et al. (2010), ..., 517, A92"."""
        names = re.split(r"\s+and\s+", self.fields.get("author", ""))
        last = [_plain(name if name.startswith("{") else name.split(",")[0]) for name in names]
        if len(last) == 2 and last[1] != "others":
            who = " & ".join(last)
        elif len(last) > 1 and not names[0].startswith("{"):
            who = f"{last[0]} et al."
        else:
            who = last[0]
        where = [_plain(self.fields[name]) for name in ("journal", "volume") if name in self.fields]
        where = " ".join(where) or _plain(self.fields.get("howpublished", ""))
        if not where and "eprint" in self.fields:
            where = f"arXiv:{self.fields['eprint']}"
        page = re.split(r"-+", self.fields.get("pages", ""))[0]
        year = f" ({self.fields['year']})" if "year" in self.fields else ""
        return ", ".join(part for part in (who + year, where, page) if part)

    @property
    def title(self):
        """Its title as plain text, a str."""
        return _plain(self.fields.get("title", self.key))


def _plain(latex):
    """Take the commonest LaTeX out of a text; accents are lost."""
    text = latex.replace(r"\Lambda", "Lambda ").replace("--", "-")
    text = text.replace(r"\ae", "ae").replace(r"\url", "")
    return re.sub(r"\s+", " ", re.sub(r"[{}$\\]", "", _ACCENTS.sub(r"\1", text))).strip()


def _unbraced(text, start):
    """Give what stands in the braces that open at ``start``, and where they end."""
    depth = 0
    for i in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return text[start + 1 : i], i + 1
    raise FileFormatError(f"A brace is not closed in the BibTeX {text[start : start + 60]!r}.")


def parse_bibtex(text):
    """Papers of BibTeX entries whose values are in braces, in quotes, or numbers, in order."""
    papers, position = [], 0
    while match := _ENTRY.search(text, position):
        start = text.index("{", match.start())
        body, position = _unbraced(text, start)
        body = body[match.end() - start - 1 :]
        papers.append(Paper(match[2], match[1].lower(), _fields(body, match[2])))
    return papers


def _fields(body, key):
    fields, at = {}, 0
    while body[at:].strip(" ,\n\t"):
        at += len(body[at:]) - len(body[at:].lstrip(" ,\n\t"))
        name = _FIELD.match(body, at)
        if name is None:
            raise FileFormatError(
                f"The BibTeX entry {key!r} must consist of fields like name = {{value}}. Received: "
                f"{body[at : at + 40]!r}"
            )
        at = name.end()
        if body[at : at + 1] == "{":
            value, at = _unbraced(body, at)
        else:
            bare = re.compile(r'"([^"]*)"|([^\s,]+)').match(body, at)
            if bare is None:
                raise FileFormatError(f"The field {name[1]!r} of {key!r} has no value.")
            value, at = bare[1] if bare[1] is not None else bare[2], bare.end()
        fields[name[1].lower()] = re.sub(r"\s+", " ", value).strip()
    return fields


def add_papers(bibtex):
    """Make papers known, so that estimators and catalogues of yours can refer to them.

    Parameters
    ----------
    bibtex : str
        BibTeX entries. Their keys are what ``references`` names: ADS bibcodes.

    Returns
    -------
    list of Paper
        What was added.

    Raises
    ------
    FileFormatError
        There is no entry, or one is malformed.
    DuplicateNameError
        Another paper has that key.

    Examples
    --------
    >>> from szmass.citations import add_papers
    >>> entry = "@misc{2030arXiv300100002A, author={Astronomer, A. N.}, title={Masses}, year=2030}"
    >>> added = add_papers(entry)
    >>> added[0].citation
    'Astronomer (2030)'
    """
    papers = parse_bibtex(bibtex)
    if not papers:
        raise FileFormatError("'bibtex' must hold BibTeX entries. Received: none")
    for paper in papers:
        if paper.key not in BIBLIOGRAPHY or BIBLIOGRAPHY[paper.key] != paper:
            BIBLIOGRAPHY.add(paper.key, paper)
    return papers


add_papers(
    (importlib.resources.files("szmass") / "data" / "bibliography.bib").read_text(encoding="utf-8")
)
BIBLIOGRAPHY.add(
    "szmass",
    Paper(
        "szmass",
        "misc",
        {
            "author": "{The szmass developers}",
            "title": "szmass: masses of galaxy clusters from {Compton}-$y$ maps",
            "howpublished": "Python package",
            "note": f"version {__version__}",
        },
    ),
)
