"""What a report works out from the trials."""
