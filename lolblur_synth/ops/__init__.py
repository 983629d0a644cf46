"""Pure operators on torch tensors; each takes plain numbers, tensors and generators, never the config."""
