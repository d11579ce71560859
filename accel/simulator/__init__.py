"""The discrete-event simulator: tiles of operators on shared resources, whole networks, and requests as they arrive."""
