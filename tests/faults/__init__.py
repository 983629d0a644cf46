"""Faults that are injected into the product, by thousands: `make faults`.

A process that has imported everything forks for each trial (`forks`), so that a run takes a second. What a fault left
is compared with an undisturbed run (`worlds`), and each kind of fault becomes a line of one table (`__main__`).
"""
