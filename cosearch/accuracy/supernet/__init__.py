"""One set of weights for all networks of a space, trained once."""
