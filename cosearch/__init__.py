"""Joint search of networks and hardware: spaces, accuracy, strategies, studies, reports and the command line."""
