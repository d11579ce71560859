"""The discrete-event simulator: what a schedule does in time, where it waits, and for what."""
