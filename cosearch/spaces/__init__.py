"""What a search may choose: choices and joint spaces, and how a point becomes a network and an accelerator."""
