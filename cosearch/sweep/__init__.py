"""What a network costs on every accelerator of a hardware space at once."""
