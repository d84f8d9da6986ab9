"""Viability of cell lines after a perturbation: the regressor and the verbs around it."""
