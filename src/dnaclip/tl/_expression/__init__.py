"""Expression of unseen genes: the predictor, splits of genes and pseudobulks."""
