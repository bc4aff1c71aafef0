"""``python -m szmass`` is the same as ``szmass``."""

from szmass.cli import main

main()
