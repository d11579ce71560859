"""Accuracy by real training on the user's data."""
