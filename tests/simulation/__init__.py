"""A deterministic simulation of whole clusters: the real dispatch shell and core, over a store, a network, workers and
clients that are simulated, in virtual time. One seed is one history, the same on every machine."""
