"""Viability of cell lines after a gene is perturbed: mean effects, ridge, forests, and their parts."""
