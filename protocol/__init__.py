"""The contract that orchestrator and workers share: packets, the attempt's state machine, the codec, the error codes.

Pure: no I/O, no clock, no randomness. `README.md` beside this file is the normative text; the models here hold it.
"""
