"""Where designs are evaluated: this process, a pool of processes, a cluster."""
