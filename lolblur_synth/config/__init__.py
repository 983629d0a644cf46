"""Configuration: sections of a run and of training; loading from YAML, presets and single settings."""
