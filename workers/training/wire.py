"""The base of every value that crosses the wire: frozen, camelCase out, both cases in, unknown fields ignored."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class WireValue(BaseModel):
    """An immutable value; its dump by alias is its form on the wire."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")
