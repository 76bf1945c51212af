"""The statements on granulation_templates; each function is one piece of a transaction that its caller holds."""

import sqlite3
from collections.abc import Collection
from typing import Any

import structlog
from pydantic import ValidationError

from protocol.codec import dumps, loads
from workers.granulator.granulations.templates import OwnTemplate, Template

log = structlog.get_logger()


def prepared(rows: sqlite3.Connection, shipped: Collection[Template]) -> tuple[Template, ...]:
    """All templates, the shipped ones as this program ships them, with the use that was counted before."""
    names = [template.template_name for template in shipped]
    rows.execute(
        f"DELETE FROM granulation_templates WHERE is_shipped AND template_name NOT IN ({', '.join('?' * len(names))})",
        names,
    )
    for template in shipped:
        rows.execute(
            """
            INSERT INTO granulation_templates (template_name, structure_type, definition, is_shipped)
            VALUES (?, ?, ?, 1)
            ON CONFLICT (template_name) DO UPDATE
            SET structure_type = excluded.structure_type, definition = excluded.definition, is_shipped = 1
            """,
            _columns(template),
        )
    return all_of(rows)


def put(rows: sqlite3.Connection, template: OwnTemplate) -> None:
    """Keeps an own template, in the place of the one of its name."""
    rows.execute(
        """
        INSERT INTO granulation_templates (template_name, structure_type, definition, is_shipped) VALUES (?, ?, ?, 0)
        ON CONFLICT (template_name) DO UPDATE
        SET template_name = excluded.template_name, structure_type = excluded.structure_type,
            definition = excluded.definition
        """,
        _columns(template),
    )


def count_use(rows: sqlite3.Connection, name: str) -> None:
    rows.execute("UPDATE granulation_templates SET usage_count = usage_count + 1 WHERE template_name = ?", [name])


def all_of(rows: sqlite3.Connection) -> tuple[Template, ...]:
    """Every template, by its name."""
    found = rows.execute(
        "SELECT template_name, definition, usage_count, is_shipped FROM granulation_templates ORDER BY template_name"
    )
    return tuple(template for row in found if (template := _template(row)) is not None)


def _template(row: sqlite3.Row) -> Template | None:
    definition: dict[str, Any] = loads(row["definition"].encode())
    try:
        counted = {"usage_count": row["usage_count"], "is_shipped": bool(row["is_shipped"])}
        return Template.model_validate({**definition, **counted})
    except ValidationError as error:  # of another version of this program: kept, and of no use to this one
        log.error("granulation_template.unreadable", template=row["template_name"], error=str(error))
        return None


def _columns(template: OwnTemplate) -> tuple[str, str, str]:
    definition = template.model_dump(mode="json", by_alias=True, include=set(OwnTemplate.model_fields))
    return template.template_name, template.structure_type, dumps(definition).decode()
