"""Helpers shared by the sub-packages; private."""
