"""Damages that know nothing of what a file holds, and edits of the cards of FITS headers."""

import functools
import gzip
import io
import re
import zlib

import numpy as np

BLOCK = 2880

#: Values of FITS cards of other types, malformed, or beyond bounds.
ODD_VALUES = (
    *("'text'", "''", "' '", "", "T", "F", "-1", "0", "1.5", "-7.25", "'1.5'", "'3'", "3"),
    *("1E400", "-1E30", "NaN", "'NaN'", "INF", "2147483647", "99999999999999999999", "1.0D0"),
    *("(1.0, 2.0)", "no quotes", "'open", "1,5", "0x10", "'\\xff'", "'" + 60 * "x" + "'", "--3"),
)


def pick(rng, values):
    """One of several values, whatever they are."""
    return values[int(rng.integers(len(values)))]


def flipped(rng, content, number=1, start=0, stop=None):
    """Content with some bytes changed, and where."""
    content = bytearray(content)
    where = rng.integers(start, stop or len(content), number)
    for place in where:
        content[place] ^= int(rng.integers(1, 256))
    return bytes(content), where


def cut(rng, content):
    """Content that ends too early."""
    return content[: int(rng.integers(0, len(content)))]


def with_swapped_blocks(rng, content, size=64):
    """Content two parts of which have changed places."""
    n = max(2, len(content) // size)
    a, b = sorted(rng.integers(0, n, 2) * size)
    one, other = content[a : a + size], content[b : b + size]
    return content[:a] + other + content[a + size : b] + one + content[b + size :]


def garbled(rng, content):
    """One of several damages to bytes: a name, and the content."""
    kind = pick(rng, ("flip", "flips", "cut", "blocks", "hole", "doubled", "inserted", "noise"))
    if kind in ("flip", "flips"):
        return kind, flipped(rng, content, 1 if kind == "flip" else 12)[0]
    if kind == "cut":
        return kind, cut(rng, content)
    if kind == "blocks":
        return kind, with_swapped_blocks(rng, content)
    start = int(rng.integers(0, len(content)))
    size = int(rng.integers(1, 200))
    if kind == "hole":
        return kind, content[:start] + bytes(size) + content[start + size :]
    if kind == "doubled":
        return kind, content[:start] + content[start : start + size] + content[start:]
    noise = rng.integers(0, 256, size, dtype=np.uint8).tobytes()
    if kind == "inserted":
        return kind, content[:start] + noise + content[start:]
    return kind, noise


@functools.cache
def _zeros(megabytes):
    part = gzip.compress(bytes(16 << 20), 9)
    return part * (megabytes // 16)


def gzip_bomb(content, megabytes=800):
    """Content, compressed, and behind it zeros that are much longer than the file."""
    return gzip.compress(content, 1) + _zeros(megabytes)


def deflated_zeros(megabytes):
    """A raw deflate stream of zeros, and its length and CRC, as a member of a zip file has it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts, crc, block = [], 0, bytes(1 << 24)
    for _ in range(megabytes // 16):
        parts.append(packer.compress(block))
        crc = zlib.crc32(block, crc)
    return b"".join([*parts, packer.flush()]), megabytes << 20, crc


def gzipped(content):
    """Content, compressed."""
    return gzip.compress(content, 1)


# FITS


def written(hdus):
    """Bytes of a list of HDUs."""
    from astropy.io import fits

    stream = io.BytesIO()
    fits.HDUList(hdus).writeto(stream, output_verify="silentfix")
    return stream.getvalue()


def headers(content):
    """Where the headers of a FITS file are: (first byte, byte after the card END) of each."""
    found = []
    for match in re.finditer(rb"(SIMPLE  =|XTENSION=)", content):
        start = match.start()
        if start % BLOCK:
            continue
        for end in range(start, len(content), 80):
            if content[end : end + 80].rstrip() == b"END":
                found.append((start, end + 80))
                break
    return found


def cards(content, place):
    """Cards of a header, as bytes of 80 characters, without END."""
    start, end = place
    return [content[i : i + 80] for i in range(start, end - 80, 80)]


def with_cards(content, place, new):
    """Content with another list of cards in a header."""
    start, end = place
    old_size = -(-(end - start) // BLOCK) * BLOCK
    header = b"".join(new) + b"END".ljust(80)
    size = -(-len(header) // BLOCK) * BLOCK
    return content[:start] + header.ljust(size) + content[start + old_size :]


def card(keyword, value, comment=""):
    """A card, however odd its value."""
    text = f"{keyword:<8}= {value:>20}" + (f" / {comment}" if comment else "")
    return text.encode("latin-1")[:80].ljust(80)


def keyword_of(one):
    """The keyword of a card."""
    return one[:8].decode("latin-1").strip()


def mutated_card(rng, content):
    """Edit one card: a name, the keyword, the new value as text or None, and the content."""
    place = pick(rng, headers(content))
    lines = cards(content, place)
    i = int(rng.integers(len(lines)))
    keyword = keyword_of(lines[i])
    kind = pick(rng, ("value", "value", "value", "removed", "doubled", "moved", "lower", "garbage"))
    value = None
    if kind == "value":
        value = pick(rng, ODD_VALUES)
        lines[i] = card(keyword, value)
    elif kind == "removed":
        del lines[i]
    elif kind == "doubled":
        value = pick(rng, ODD_VALUES)
        lines.insert(i + 1, card(keyword, value))
    elif kind == "moved":
        lines.insert(int(rng.integers(len(lines))), lines.pop(i))
    elif kind == "lower":
        lines[i] = lines[i].lower()
    else:
        lines[i], _ = flipped(rng, lines[i], 3, 0, 40)
    return kind, keyword, value, with_cards(content, place, lines)
