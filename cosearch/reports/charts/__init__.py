"""The report's interactive charts, as plain plotly data."""
