"""The built-in dataset: 1,797 handwritten digits of 8 by 8 pixels from scikit-learn.

The adapter to scikit-learn, which has no types and takes a second to load: it is loaded when it is wanted.
"""

import numpy as np

from workers.training.table import Table, label_rows


def digits() -> Table:
    """64 features of 0 to 16, ten classes."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    values, labels = load_digits(return_X_y=True)
    return label_rows(values.astype(np.float32), [str(label) for label in labels])
