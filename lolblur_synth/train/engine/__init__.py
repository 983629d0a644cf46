"""Engine: loop, run directory, monitor."""
