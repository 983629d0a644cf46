"""Configuration: sections of a run and of training, loaded from YAML, presets and single settings."""
