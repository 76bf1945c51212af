"""The loops: claim, offer, advance, reap. Facts go through the core, then the journal, then out to workers."""
