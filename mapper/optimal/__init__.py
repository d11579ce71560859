"""The optimal mapper: a search over every mapping of the space that ends with a proof."""
