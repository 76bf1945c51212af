"""Who makes a structure: the offline builders, or a language model over HTTP, behind one interface.

`chain.py` is the entrance for whoever wants one made; `configured.py` sets it up from the environment.
"""
