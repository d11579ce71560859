"""Learning curves: what the epochs not yet run would bring, and when to leave off."""
