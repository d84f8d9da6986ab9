"""Expression of genes from their vectors: ridge on kernels, a network, and what is between them."""
