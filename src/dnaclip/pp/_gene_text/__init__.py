"""What genes do, in words, from the tables of public databases."""
