"""How a search proposes: strategies behind one ask/tell protocol, found by name."""
