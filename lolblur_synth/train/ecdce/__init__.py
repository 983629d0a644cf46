"""EC-Zero-DCE: exposure-conditioned curves, trained on photographs without references."""
