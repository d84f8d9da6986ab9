"""Fit predictors of expression."""
