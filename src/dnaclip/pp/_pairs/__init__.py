"""Tables of pairs: built from genomes and texts, summarised, split."""
