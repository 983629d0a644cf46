"""Commands beside the dataset, a module each; one guard for their outputs, one finder of pictures."""
