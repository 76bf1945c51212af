"""What the README shows is what happens."""

import re
from pathlib import Path

from tests.integration.system import Baton

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "orchestrator" / "README.md").read_text(encoding="utf-8").partition("## Settings")[2]
SHOUT = "template: shouts\nstages: {it: {action: shout, with: {text: '${input.text}'}}}\n"


async def test_the_worker_of_the_readme_works_and_has_fifteen_lines(tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "shouter.py").write_text(code, encoding="utf-8")
    async with Baton(tmp_path) as baton:
        await baton.publish(SHOUT)
        await baton.worker(str(tmp_path / "shouter.py"), "--worker-id", "shouter")
        await baton.until_worker("shouter")
        execution = await baton.finished(await baton.execute("shouts", {"text": "hello"}))

    assert execution["result"] == {"it": {"text": "HELLO"}}
    assert len([line for line in code.splitlines() if line.strip()]) <= 15


def test_every_setting_that_is_read_is_described() -> None:
    described = set(re.findall(r"`([A-Z_]{5,})`", SETTINGS)) - {"NAME_FILE"}
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "orchestrator").rglob("*.py")]
    read = {name for text in sources for name in re.findall(r'"(BATON_\w+|WORKER_SECRET|DATABASE_URL)"', text)}

    assert described == read


def test_every_place_that_a_readme_leads_to_is_there() -> None:
    folders = (ROOT / name for name in ("orchestrator", "protocol", "templates", "tests", "workers"))
    for readme in (ROOT / "README.md", *(file for folder in folders for file in folder.rglob("*.md"))):
        prose = re.sub(r"```.*?```|`[^`]*`", "", readme.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#]+)\)", prose):
            if "://" not in target:
                assert (readme.parent / target).exists(), (readme, target)


def test_every_shipped_template_is_listed() -> None:
    shipped = {file.stem for file in (ROOT / "templates").glob("*.yaml")}
    listed = (ROOT / "templates" / "README.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| \[(\w+)\]\(\1\.yaml\)", listed, re.MULTILINE)) == shipped


def test_every_template_and_variable_of_the_readme_is_one() -> None:
    section = README.partition("## The granulator and its templates")[2].partition("## The training worker")[0]
    granulator = (ROOT / "workers" / "granulator" / "README.md").read_text(encoding="utf-8")
    first_cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    names = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}

    assert {name for name in names if name.islower()} == {
        file.stem for file in (ROOT / "templates").glob("*.yaml") if file.stem != "greet_twice"
    }
    assert [name for name in names if name.isupper() and f"`{name}`" not in granulator] == []
