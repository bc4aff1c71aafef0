"""What is written to a file and read from it, said once for the classes that do so."""

from szmass._utils.docs import InheritsDocstrings


class Stored(InheritsDocstrings):
    """Base of what is kept in a file; the docstring of a class says what its files hold."""

    def write(self, path, *, overwrite=False):
        """Write this to a file, as the class says.

        Parameters
        ----------
        path : path-like
            The target. It is complete or not there.
        overwrite : bool, optional
            Replace an existing file.

        Raises
        ------
        InvalidInputError
            The target exists, its folder does not, or a file cannot hold this; the message says
            why.
        """
        raise NotImplementedError

    @classmethod
    def read(cls, path):
        """Read what `write` wrote.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        object
            One of this class; positions are in the frame of its geometry.

        Raises
        ------
        FileFormatError
            The file is truncated or something else.
        """
        raise NotImplementedError
