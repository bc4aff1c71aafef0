"""Training of networks: streams of noisy maps, members, and what follows when they are trained."""
