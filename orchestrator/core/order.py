"""The order of work: priority descending, started before fresh, then by age. Taken anew at each offer."""

OrderKey = tuple[int, bool, str]


def order_key(priority: int, started: bool, execution_id: str) -> OrderKey:
    """Smaller goes first. Execution ids sort by the time they were made, so the id stands for the age.

    The queue's column `rank` follows the same rule; the two are held equal by a test.
    """
    return (-priority, not started, execution_id)
