"""Heuristic mappers without a proof, for comparison and for spaces too large to search to the end."""
