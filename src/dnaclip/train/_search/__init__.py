"""Search for better settings: what may vary, the study that remembers trials, and the loop over them."""
