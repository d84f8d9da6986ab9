"""Gene program verbs: find, score, test, name, compare."""
