"""A page of HTML to Markdown: its headings and prose, without what stands around them on every page of a site.

The tree is walked by its strings, never by recursion, so that no depth of nesting can end the process.
"""

import re
from collections.abc import Iterator
from typing import Final

from bs4 import BeautifulSoup
from bs4.element import NavigableString, PreformattedString, Tag

from workers.granulator.intake import markdown
from workers.granulator.intake.reading import Reading
from workers.granulator.intake.refusal import UnusableDocument

# A table is prose where its cells are, as on pages that are laid out by tables.
SHORTEST_PROSE_CELL_WORDS: Final = 12
# Less than this share of the page's text is no main part of it but a teaser that happens to be marked up as one.
LEAST_MAIN_SHARE: Final = 0.3

_NEVER_READ: Final = [
    *("script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "audio", "video"),
    *("form", "button", "select", "textarea", "input", "dialog", "nav", "aside", "footer", "head"),
]
_BOILERPLATE_ROLES: Final = frozenset({"navigation", "banner", "contentinfo", "search", "complementary", "dialog"})
_BOILERPLATE_NAMES: Final = re.compile(
    r"(?:^|[-_ ])(?:nav|navbar|navigation|menu|sidebar|breadcrumbs?|cookies?|consent|advert(?:isement)?s?|ads?|banner"
    r"|promo|newsletter|subscribe|share|sharing|social|comments?|related|pagination|footer|skip-link)(?:$|[-_ ])",
    re.IGNORECASE,
)
_HEADING: Final = re.compile(r"h[1-6]")
_CELLS: Final = frozenset({"td", "th"})
_BLOCKS: Final = frozenset(
    {
        *("h1", "h2", "h3", "h4", "h5", "h6", "p", "li", "dt", "dd", "blockquote", "pre", "div", "section", "article"),
        *("main", "header", "td", "th", "caption", "figcaption", "figure", "address", "details", "summary", "body"),
        *("ul", "ol", "dl", "table", "tr", "tbody", "thead", "fieldset", "center", "html", "[document]"),
    }
)


def read_html(markup: str) -> Reading:
    """The page's text in Markdown, with the title of its window; raises UnusableDocument where it has no text."""
    page = BeautifulSoup(markup, "html.parser")
    title = markdown.folded(page.title.get_text()) if page.title else None
    _drop_boilerplate(page)
    blocks = [written for block in _blocks(_main_part(page)) if (written := _write(*block))]
    if not blocks:
        raise UnusableDocument(
            "is a page without text, as pages are that a script fills in; save it from the browser and send that."
        )
    return Reading(markdown.document(blocks), title or None)


def _drop_boilerplate(page: BeautifulSoup) -> None:
    for tag in page.find_all(_NEVER_READ):
        tag.extract()
    for tag in page.find_all(_is_boilerplate):
        tag.extract()


def _is_boilerplate(tag: Tag) -> bool:
    if tag.name in ("html", "body", "main", "article"):
        return False
    if tag.has_attr("hidden") or tag.get("aria-hidden") == "true" or tag.get("role") in _BOILERPLATE_ROLES:
        return True
    if tag.name == "header":
        # The header of the page, not that of an article, which holds its title.
        return tag.find_parent(["article", "main"]) is None and tag.find("h1") is None
    names = [*tag.get_attribute_list("class"), *tag.get_attribute_list("id")]
    return any(name and _BOILERPLATE_NAMES.search(name) for name in names)


def _main_part(page: BeautifulSoup) -> Tag:
    """The one element that is marked as the page's matter, where it holds a good part of its text."""
    whole = page.body or page
    length = len(whole.get_text())
    for candidates in (page.find_all("main"), page.find_all(role="main"), page.find_all("article")):
        if len(candidates) == 1 and len(candidates[0].get_text()) >= LEAST_MAIN_SHARE * length:
            return candidates[0]
    return whole


def _blocks(part: Tag) -> Iterator[tuple[Tag, str]]:
    """Each run of text with the nearest block around it, in reading order."""
    current: Tag | None = None
    run: list[str] = []
    for node in part.descendants:
        if isinstance(node, Tag):
            if node.name == "br":
                run.append("\n")
            continue
        if not isinstance(node, NavigableString) or isinstance(node, PreformattedString):
            continue
        block = _block_around(node)
        if block is not current and current is not None:
            yield current, "".join(run)
            run = []
        current = block
        run.append(str(node))
    if current is not None:
        yield current, "".join(run)


def _block_around(node: NavigableString) -> Tag | None:
    return next((parent for parent in node.parents if parent.name in _BLOCKS), None)


def _write(block: Tag, text: str) -> str:
    """A block in Markdown; empty for what is no prose: code, and the cells of a table of figures."""
    if block.name == "pre" or not text.strip():
        return ""
    if _HEADING.fullmatch(block.name):
        return markdown.heading(text, int(block.name[1]))
    if block.name in _CELLS and len(text.split()) < SHORTEST_PROSE_CELL_WORDS:
        return ""
    if block.name == "li":
        return markdown.item(text)
    return "\n\n".join(written for part in re.split(r"\n\s*\n", text) if (written := markdown.paragraph(part)))
