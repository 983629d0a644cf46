"""Restoration: pairs, losses, training and validation of a network that takes night to day."""
