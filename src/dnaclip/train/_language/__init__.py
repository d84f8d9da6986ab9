"""Pre-train a DNA language model: predict each base from those before it."""
