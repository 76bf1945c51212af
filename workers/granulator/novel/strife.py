"""How much a sentence speaks of conflict, by its words alone."""

import re
from typing import Final

# Strong words name the conflict itself, weak ones only that something is otherwise than it was wanted.
_STRIFE: Final = re.compile(
    r"\b(?:refus|quarrel|fight|fought|argu|accus|attack|threat|enem|war\b|battle|storm|gale|danger|fear|afraid|fright|lost\b|"
    r"lose|loss|die[ds]?\b|dead|death|kill|fail|broke|tore|torn|wreck|trap|chase|hunt|steal|stole|betray|lie[ds]?\b|hat(?:e|ed)\b|"
    r"angry|anger|asham|against|struggl|resist|forbid|forbad|bolt|prison|wound|hurt|burn|drown|blind|poison|curse|rival|"
    r"crisis|problem|obstacle|never)",
    re.IGNORECASE,
)
_CONTRAST: Final = re.compile(
    r"\b(?:but|yet|however|although|though|despite|instead|unless|cannot|can't|could not|couldn't|would not|wouldn't|"
    r"did not|no longer|nobody|no one|nothing|without|too|only|whereas|while)\b",
    re.IGNORECASE,
)
_STRIFE_WEIGHT: Final = 2


def strife(text: str) -> int:
    """How much a sentence speaks of conflict, by its words; 0 is not at all."""
    return _STRIFE_WEIGHT * len(_STRIFE.findall(text)) + len(_CONTRAST.findall(text))
