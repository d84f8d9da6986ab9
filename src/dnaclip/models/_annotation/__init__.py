"""Annotation of genes from known ones: wording of texts, scores of candidates, and what confidence they deserve."""
