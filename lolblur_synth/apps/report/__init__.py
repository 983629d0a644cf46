"""The `report` command: a dataset as one page to look at."""
