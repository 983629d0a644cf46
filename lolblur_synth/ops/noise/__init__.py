"""Camera noise."""
