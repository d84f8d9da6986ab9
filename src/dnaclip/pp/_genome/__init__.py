"""Genes with their sequences, from a genome and its annotation."""
