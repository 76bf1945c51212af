"""PostgreSQL and the blob store: the only importer of asyncpg.

Statements live in `queries/*.sql` under names; each is called from exactly one function here.
"""
