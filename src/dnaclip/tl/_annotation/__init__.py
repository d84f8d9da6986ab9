"""Search genes by words, and annotate genes by their DNA."""
