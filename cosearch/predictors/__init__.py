"""Predictors: what networks not yet asked about will probably turn out to be, from those that were."""
