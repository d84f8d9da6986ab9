"""Perturbation models: mean methods, the disentangled VAE, and what joins them."""
