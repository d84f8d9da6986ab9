"""Genomes, annotations and texts of species: where the providers keep them, and how they are fetched."""
