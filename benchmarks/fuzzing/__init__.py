"""Mutated inputs of everything that szmass reads, each with what must come of it."""
