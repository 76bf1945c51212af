"""The training worker. Without the extra `training` nothing of it can be imported, and the error says so."""

from workers.training.extra import require_extra

require_extra()
