"""Training of the perturbation VAE, and of the predictor that holds it."""
