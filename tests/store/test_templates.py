"""Templates as the database has them, for those who start on what is published already."""

from orchestrator.core.template import parse_template
from orchestrator.store.database import Database
from orchestrator.store.templates import SHIPPED, Templates
from orchestrator.system import SystemClock


def a_source(name: str, action: str) -> str:
    return f"template: {name}\nstages: {{only: {{action: {action}}}}}\n"


async def test_what_is_published_is_known_by_its_text_if_it_is_the_latest(database: Database) -> None:
    templates = Templates(database, SystemClock())
    old, new, other = a_source("one", "old"), a_source("one", "new"), a_source("two", "old")
    for source in (old, new, other):
        await templates.publish(SHIPPED, parse_template(source), source)
    await templates.publish("client_1", parse_template(old), old)

    assert await templates.latest_sources(SHIPPED) == {new, other}
