"""Engine of both trainers: learning rate, EMA, state and checkpoints, interrupts, run folder, monitor, callbacks."""
