"""What a person asks for beside a dataset: one module a command, one guard for their outputs."""
