"""The functional core: facts in, decisions out.

Pure: no await, clock, randomness, logging or I/O. Time and random draws enter as arguments.
"""
