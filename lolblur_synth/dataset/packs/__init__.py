"""Datasets packed for other people's trainers: WebDataset shards, LMDB of BasicSR's layout, Parquet."""
