"""What a search found, for people: page, figures, tables, from the study's folder alone."""
