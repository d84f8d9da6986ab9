"""Alignment by BLAST+, DIAMOND or MMseqs2, where they are installed."""
