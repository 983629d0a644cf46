"""Trainers: the engine both share, EC-Zero-DCE, restoration networks."""
