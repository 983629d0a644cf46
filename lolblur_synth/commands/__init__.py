"""The commands by what they work on; `cli` puts them together."""
