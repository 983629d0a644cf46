"""Command line: options, tables, progress bars, words for errors; the only place where an option is named."""
