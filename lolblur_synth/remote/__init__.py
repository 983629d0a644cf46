"""Footage that lies elsewhere: folders by URL, through fsspec, and copies of them here that do not grow without end."""
