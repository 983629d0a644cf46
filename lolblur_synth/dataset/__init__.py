"""LOL-Blur datasets on disk: layout, statistics, pairs, records, publishing, manifest, verification, card."""
