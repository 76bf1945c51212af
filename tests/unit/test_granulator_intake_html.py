"""A page of HTML to Markdown: headings and prose stay, what stands around them goes."""

import pytest

from workers.granulator.intake.html import read_html
from workers.granulator.intake.refusal import UnusableDocument


def page(body: str, head: str = "") -> str:
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>"


def test_headings_paragraphs_and_lists_become_those_of_markdown() -> None:
    body = """<h1>How <em>tides</em>
        work</h1><p>The moon <b>pulls</b>.</p><h2>Kinds</h2><ul><li>Spring</li><li>Neap</li></ul><p>So it is.</p>"""

    assert read_html(page(body)).text == (
        "# How tides work\n\nThe moon pulls.\n\n## Kinds\n\n- Spring\n- Neap\n\nSo it is.\n"
    )


@pytest.mark.parametrize(
    "boilerplate",
    [
        "<nav><p>Home</p></nav>",
        "<header><p>Home</p></header>",
        "<footer><p>Home</p></footer>",
        "<aside><p>Home</p></aside>",
        "<script>home()</script>",
        "<style>.home {}</style>",
        "<form><label>Home</label></form>",
        '<div role="navigation">Home</div>',
        '<div class="cookie-banner">Home</div>',
        '<div id="sidebar"><p>Home</p></div>',
        '<ul class="site breadcrumbs"><li>Home</li></ul>',
        "<div hidden>Home</div>",
        '<div aria-hidden="true">Home</div>',
        "<!-- Home -->",
        "<pre>home = 1</pre>",
    ],
)
def test_what_stands_around_the_matter_is_dropped(boilerplate: str) -> None:
    assert read_html(page(f"{boilerplate}<p>The moon pulls at the sea.</p>")).text == "The moon pulls at the sea.\n"


def test_an_article_keeps_its_own_header() -> None:
    body = "<header><h2>The site</h2></header><article><header><h1>Tides</h1></header><p>The sea rises.</p></article>"

    assert read_html(page(body)).text == "# Tides\n\nThe sea rises.\n"


def test_a_class_that_only_begins_like_boilerplate_is_kept() -> None:
    assert (
        read_html(page('<p class="navigable adsorption">Charcoal binds gases.</p>')).text == "Charcoal binds gases.\n"
    )


def test_the_main_part_alone_is_read_unless_it_is_a_teaser() -> None:
    prose = "The sea rises twice a day. " * 5

    assert read_html(page(f"<div>About us</div><main><p>{prose}</p></main>")).text == f"{prose.strip()}\n"
    assert "rises" in read_html(page(f"<article>Read more</article><p>{prose}</p>")).text


def test_line_breaks_in_pairs_part_paragraphs_and_single_ones_do_not() -> None:
    assert read_html(page("<div>One<br>line.<br><br>Another.</div>")).text == "One line.\n\nAnother.\n"


def test_cells_are_prose_only_where_they_are_long() -> None:
    prose = "The tide is higher in this bay than in any other one along this coast."

    assert read_html(page(f"<table><tr><td>4.2</td><td>{prose}</td></tr></table>")).text == f"{prose}\n"


def test_no_character_of_a_paragraph_becomes_a_mark() -> None:
    body = "<p># not a heading</p><p>a | b | c</p><p>&gt; not a quotation</p>"

    assert read_html(page(body)).text == "not a heading\n\na ¦ b ¦ c\n\nnot a quotation\n"


def test_the_title_of_the_window_is_told_beside_the_text() -> None:
    assert read_html(page("<p>The sea rises.</p>", "<title>Tides &amp; seas</title>")).title == "Tides & seas"
    assert read_html(page("<p>The sea rises.</p>")).title is None


def test_nesting_of_any_depth_is_read() -> None:
    assert read_html("<div>" * 5_000 + "The sea rises.").text == "The sea rises.\n"


def test_a_page_without_text_is_refused_with_what_to_do() -> None:
    with pytest.raises(UnusableDocument, match="save it from the browser and send that"):
        read_html(page('<div id="root"></div><script>render()</script>'))
