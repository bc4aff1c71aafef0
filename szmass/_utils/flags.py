"""Flags whose bits say what they mean."""

import enum


class WordedFlag(enum.IntFlag):
    """Base of flags: a member is its value and what it means for a reader, its ``words``."""

    words: str

    def __new__(cls, value, words=""):
        """Make a bit; ``words`` is what it means."""
        bit = int.__new__(cls, value)
        bit._value_, bit.words, bit.__doc__ = value, words, words
        return bit

    @classmethod
    def describe(cls, value):
        """Name the bits of a flag.

        Parameters
        ----------
        value : int
            A value of the column ``flag``.

        Returns
        -------
        str
            Names joined by ``|``, empty for 0.
        """
        return "|".join(bit.name for bit in cls if int(value) & bit)
