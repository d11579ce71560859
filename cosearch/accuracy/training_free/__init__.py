"""What can be said of a network before it is trained: indicators that order networks, none of them an accuracy."""
