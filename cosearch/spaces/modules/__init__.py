"""Networks of the spaces as torch modules, alone or sharing weights. Importing this imports torch."""
