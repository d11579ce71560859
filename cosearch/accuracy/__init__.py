"""Where a candidate's accuracy comes from: sources behind one protocol, each with an uncertainty and a cost."""
