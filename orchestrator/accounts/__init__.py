"""Who may call: clients, keys, users, sessions and the workers' secret.

Invariant: a secret leaves here once, when it is made; it is kept, compared and cached as a hash only.
"""
