"""Networks and the reading of their weights."""
