"""The contract of each store module, run on both databases."""
