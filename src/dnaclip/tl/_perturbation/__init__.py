"""Perturbation verbs: split, predict, judge, search."""
