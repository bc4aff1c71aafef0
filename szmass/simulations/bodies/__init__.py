"""Gas of simulated clusters: models, draws of them, and their images."""
