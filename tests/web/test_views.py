"""The hosted pages: nothing typed becomes markup, everything can be read, labelled and reached."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authreset.web.assets import DARK_SURFACE, LIGHT_SURFACE, read_assets
from authreset.web.assets.colours import contrast, text_colour_on
from authreset.web.views import (
    ASSETS,
    DocsView,
    ForgotSentView,
    ForgotView,
    LinkOverView,
    MailboxLetter,
    MailboxView,
    ProblemView,
    ResetDoneView,
    ResetView,
    View,
    accent_stylesheet,
    accent_url,
    asset_url,
    find_asset,
    render,
)

VOID = {"meta", "link", "input", "rect", "path", "circle", "br"}
HOSTILE = (
    """"><script>alert(1)</script><img src=x onerror='alert(2)'>{{ 7 * 7 }}</title></textarea>"""
)


class Page(HTMLParser):
    """A page as its elements and its text; a tag left open or closed twice fails."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]

    def words(self) -> str:
        return " ".join("".join(self.text).split())

    def title(self) -> str:
        return next(text for text in self.text if text.strip())

    def one(self, tag: str, **wanted: str) -> dict[str, str | None]:
        """Return the only element of this tag with these attributes."""
        found = [a for name, a in self.elements if name == tag and wanted.items() <= a.items()]
        assert len(found) == 1, (tag, wanted, found)
        return found[0]


def document(word: str) -> Mapping[str, Any]:
    """Make a small OpenAPI document whose every free text is `word`."""
    schema = {"$ref": "#/components/schemas/Node"}
    body = {"application/json": {"schema": schema, "example": {"psw": word}}}
    return {
        "openapi": "3.1.1",
        "info": {"title": word, "version": word, "description": f"- {word}\n- `{word}`\n\n{word}"},
        "servers": [{"url": "/api"}],
        "tags": [{"name": "User", "description": word}],
        "paths": {
            "/User/{userId}": {
                "parameters": [
                    {"name": "userId", "in": "path", "required": True, "example": 1000000},
                    {"name": "entry", "in": "query", "required": True, "example": "a b&c"},
                ],
                "put": {
                    "operationId": "ChangePsw",
                    "tags": ["User"],
                    "summary": word,
                    "description": word,
                    "security": [{"key": []}, {"bearer": []}],
                    "requestBody": {"content": body},
                    "responses": {"200": {"description": word, "content": body}},
                },
            }
        },
        "components": {
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "requestToken"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "schemas": {
                "Node": {
                    "type": "object",
                    "required": ["psw"],
                    "properties": {
                        "psw": {"type": ["string", "null"], "minLength": 12, "description": word},
                        "child": {"anyOf": [{"type": "null"}, schema]},
                        "children": {"type": "array", "items": schema},
                    },
                }
            },
        },
    }


def letter(word: str, html_url: str | None = "/mailbox/1.html") -> MailboxLetter:
    at = datetime(2026, 11, 23, 18, 3, 12, tzinfo=UTC)
    return MailboxLetter("1", at, word, word, word, word, html_url)


# Each page with one word in every place that a stranger or a tenant may fill.
PAGES: Mapping[str, Callable[[str], View]] = {
    "forgot": lambda w: ForgotView(w, "#1f5c99", w, email=w),
    "forgot, refused": lambda w: ForgotView(w, None, w, email=w, error=w),
    "sent": lambda w: ForgotSentView(w, None, w, "/forgot?entry=x"),
    "sent, no address": lambda w: ForgotSentView(w, None),
    "reset": lambda w: ResetView(w, None, "/reset/r.x", w, 12),
    "reset, refused": lambda w: ResetView(w, None, "/reset/r.x", w, 12, (w, w)),
    "done": lambda w: ResetDoneView(w, None, "/login"),
    "done, no sign-in": lambda w: ResetDoneView(w, None, None),
    "link over": lambda w: LinkOverView(w, None, "/forgot"),
    "link over, no form": lambda w: LinkOverView(w, None, None),
    "problem": lambda w: ProblemView(404, w, w, w),
    "mailbox": lambda w: MailboxView((letter(w), letter(w, None))),
    "mailbox, empty": lambda w: MailboxView(()),
    "docs": lambda w: DocsView("/openapi.json", document(w)),
}
every_page = pytest.mark.parametrize("make", PAGES.values(), ids=PAGES)


@every_page
@given(word=st.text(min_size=1, max_size=40))
@example(word=HOSTILE)
@example(word="' onfocus=alert(1) autofocus x='")
def test_nothing_typed_becomes_markup(make: Callable[[str], View], word: str) -> None:
    # The prose of a document may make paragraphs and lists, so its shape follows its line ends.
    word = re.sub(r"[\s`*-]+", " ", word) if make is PAGES["docs"] else word
    word = word if word.strip() else "x"
    assert Page(render(make(word))).shape() == Page(render(make("harmless"))).shape()


@every_page
def test_a_hostile_word_is_shown_as_it_was_typed(make: Callable[[str], View]) -> None:
    page = Page(render(make(HOSTILE)))
    values = [value or "" for _, attributes in page.elements for value in attributes.values()]
    shown = " ".join(["".join(page.text), *values])
    assert HOSTILE in shown or make is PAGES["mailbox, empty"]


@every_page
def test_a_page_obeys_the_content_security_policy(make: Callable[[str], View]) -> None:
    for tag, attributes in Page(render(make("Pilgrim"))).elements:
        assert tag not in {"style", "base", "iframe", "object", "embed"}
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        assert tag != "script" or attributes["src"]


@every_page
def test_a_page_asks_no_other_origin(make: Callable[[str], View]) -> None:
    for _, attributes in Page(render(make("Pilgrim"))).elements:
        for name in ("href", "src", "action", "srcset", "formaction", "ping"):
            assert re.match(r"/(?!/)|#|$", attributes.get(name) or "")


@every_page
def test_a_page_can_be_read_by_ear(make: Callable[[str], View]) -> None:
    page = Page(render(make("Pilgrim")))
    assert page.one("html")["lang"] == "en"
    assert page.one("main")["id"] == "main"
    assert page.one("a", **{"class": "skip"})["href"] == "#main"
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@every_page
def test_every_input_has_a_label_and_every_reference_an_end(make: Callable[[str], View]) -> None:
    elements = Page(render(make("Pilgrim"))).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    labelled = {attributes["for"] for tag, attributes in elements if tag == "label"}
    inputs = {a["id"] for tag, a in elements if tag == "input" and a["type"] != "hidden"}
    assert labelled == inputs
    assert len(ids) == len(set(ids)) or make is PAGES["mailbox"]  # its two letters share an id
    for _, attributes in elements:
        for name in ("aria-describedby", "aria-labelledby", "aria-controls"):
            assert set((attributes.get(name) or "").split()) <= set(ids)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("forgot", "Forgot your password · Pilgrim"),
        ("forgot, refused", "Error: Forgot your password · Pilgrim"),
        ("reset", "Choose a new password · Pilgrim"),
        ("reset, refused", "Error: Choose a new password · Pilgrim"),
        ("problem", "Error: Pilgrim · Account recovery"),
    ],
)
def test_the_title_says_the_page_and_whether_something_is_wrong(name: str, title: str) -> None:
    assert Page(render(PAGES[name]("Pilgrim"))).title() == title


@pytest.mark.parametrize("name", ["forgot, refused", "reset, refused"])
def test_a_refusal_is_announced_and_has_the_focus(name: str) -> None:
    page = Page(render(PAGES[name]("It is too short.")))
    alert = page.one("div", role="alert")
    assert "autofocus" in alert
    assert alert["tabindex"] == "-1"
    wrong = page.one("input", **{"aria-invalid": "true"})
    assert "errors" in (wrong["aria-describedby"] or "").split()
    assert f"#{wrong['id']}" in [attributes.get("href") for _, attributes in page.elements]


def test_the_forgot_form_suits_password_managers_and_phones() -> None:
    page = Page(render(ForgotView("Pilgrim", None, "8cfec329267", email="ada@example.com")))
    form = page.one("form")
    assert (form["method"], form["action"]) == ("post", "/forgot")
    assert page.one("input", type="hidden", name="entry")["value"] == "8cfec329267"
    email = page.one("input", name="email")
    assert (email["type"], email["inputmode"]) == ("email", "email")
    assert (email["autocomplete"], email["value"]) == ("username", "ada@example.com")


def test_the_reset_form_suits_password_managers_and_phones() -> None:
    page = Page(render(ResetView("Pilgrim", None, "/reset/r.x", "ada@example.com", 15)))
    assert page.one("form", method="post")["action"] == "/reset/r.x"
    account = page.one("input", autocomplete="username")
    assert account["value"] == "ada@example.com"
    assert "readonly" in account
    password = page.one("input", name="password")
    assert (password["type"], password["autocomplete"]) == ("password", "new-password")
    assert (password["minlength"], password["maxlength"]) == ("15", "1024")
    assert (password["passwordrules"] or "").startswith("minlength: 15;")
    assert (password["spellcheck"], password["autocapitalize"]) == ("false", "none")
    assert "value" not in password


def test_only_a_browser_without_scripts_is_asked_for_the_password_twice() -> None:
    html = render(ResetView("Pilgrim", None, "/reset/r.x", "ada@example.com", 12))
    with_scripts = re.sub(r"<noscript>.*?</noscript>", "", html, flags=re.DOTALL)
    assert 'name="password_again"' in html
    assert 'name="password_again"' not in with_scripts
    assert "hidden" in Page(html).one("button", id="password-toggle")


def test_every_weakness_is_told() -> None:
    told = ("It is on a list.", "It holds your name.")
    words = Page(render(ResetView("P", None, "/reset/r.x", "ada@example.com", 12, told))).words()
    assert all(weakness in words for weakness in told)


def test_the_link_to_sign_in_stays_on_the_web() -> None:
    page = Page(render(ResetDoneView("P", None, "https://app.example.com/login")))
    assert page.one("a", **{"class": "action"})["href"] == "https://app.example.com/login"
    for url in ("javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", ""):
        assert "Sign in</a>" not in render(ResetDoneView("P", None, url))


def test_the_mailbox_links_addresses_of_the_web_and_nothing_else() -> None:
    text = "See (http://127.0.0.1:8000/reset/r.a_b-c?x=1&y=2). javascript:alert(1) <b>"
    html = render(MailboxView((letter(text),)))
    link = Page(html).one("a", href="http://127.0.0.1:8000/reset/r.a_b-c?x=1&y=2")
    assert link["rel"] == "noreferrer"
    assert "javascript:alert(1) &lt;b&gt;" in html


def test_the_mailbox_says_what_it_is_and_how_it_is_filled() -> None:
    words = Page(render(MailboxView((), "http://127.0.0.1:9999"))).words()
    assert "This is a development mailbox." in words
    assert "curl -X POST 'http://127.0.0.1:9999/api/User/authreset'" in words


def test_the_reference_gives_a_command_for_each_operation() -> None:
    html = render(DocsView("/openapi.json", document("it's"), "https://reset.example.com"))
    code = "".join(Page(html).text)
    assert "curl -X PUT 'https://reset.example.com/api/User/1000000?entry=a+b%26c' \\\n" in code
    assert '-H "requestToken: $TOKEN" \\\n' in code
    assert """-d '{"psw": "it'"'"'s"}'""" in code


def test_the_reference_tells_fields_and_ends_where_a_schema_holds_itself() -> None:
    words = Page(render(DocsView("/openapi.json", document("word")))).words()
    assert "psw string or null required" in words
    assert "at least 12 characters" in words
    assert "children[].psw" in words
    assert words.count("children[].children[].children[].") == 0


def test_a_view_keeps_tokens_and_addresses_out_of_its_repr() -> None:
    views = [
        ForgotView("P", None, "e", email="ada@example.com"),
        ForgotSentView("P", None, "ada@example.com"),
        ResetView("P", None, "/reset/r.token", "ada@example.com", 12),
        MailboxView(
            (
                MailboxLetter(
                    "1", datetime.now(UTC), "ada@example.com", "s", "sent", "r.token", "/r.token"
                ),
            )
        ),
    ]
    for view in views:
        assert "ada@" not in repr(view)
        assert "r.token" not in repr(view)


def test_the_digest_in_an_asset_s_url_follows_its_content(tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text("a{}")
    before = read_assets(tmp_path)["style.css"]
    (tmp_path / "style.css").write_text("b{}")
    after = read_assets(tmp_path)["style.css"]
    assert before.digest != after.digest
    assert asset_url("style.css") == f"/assets/style.css?v={ASSETS['style.css'].digest[:16]}"


def test_assets_are_what_the_pages_load_and_small() -> None:
    assert set(ASSETS) == {"mark.svg", "password.js", "style.css"}
    assert len(ASSETS["style.css"].body) < 12 * 1024
    assert len(ASSETS["password.js"].body) < 4 * 1024
    assert all(find_asset(name) is asset for name, asset in ASSETS.items())
    assert all(b"http" not in ASSETS[name].body for name in ("style.css", "password.js"))


@every_page
def test_every_asset_of_a_page_is_served(make: Callable[[str], View]) -> None:
    for _, attributes in Page(render(make("Pilgrim"))).elements:
        url = attributes.get("href") or attributes.get("src") or ""
        if url.startswith("/assets/"):
            name, digest = url.removeprefix("/assets/").split("?v=")
            asset = find_asset(name)
            assert asset is not None
            assert asset.digest.startswith(digest)


@pytest.mark.parametrize(
    "colour", ["", "red", "#fff", "#FFFFFF", "1f5c99", "#1f5c99\n", "#1f5c99;}", "#gggggg"]
)
def test_only_a_plain_colour_becomes_a_style_sheet(colour: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        accent_stylesheet(colour)
    assert accent_url(colour) is None
    assert find_asset(f"accent-{colour}.css") is None or colour == "1f5c99"
    render(ForgotView("P", colour, "e"))


@pytest.mark.parametrize("name", ["accent-1f5c99", "1f5c99", "1f5c99.css", "../views.py", ""])
def test_other_names_are_no_assets(name: str) -> None:
    assert find_asset(name) is None


colours = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@given(colour=colours)
@example(colour="#ffffff")
@example(colour="#000000")
@example(colour="#777777")
def test_every_accent_can_be_read(colour: str) -> None:
    light, dark = palettes(accent_stylesheet(colour).decode())
    assert light["accent"] == colour
    assert contrast(light["accent"], light["on-accent"]) >= 4.5
    house_light, house_dark = palettes(ASSETS["style.css"].body.decode())
    for surface in ("card", "paper", "well"):
        assert contrast(light["accent-ink"], house_light[surface]) >= 4.5
        assert contrast(dark["accent-ink"], house_dark[surface]) >= 4.5


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert text_colour_on("#ffff00") == "#000000"
    assert text_colour_on("#00008b") == "#ffffff"


def palettes(style: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the colours that a style sheet names for light and for dark mode."""
    light, dark = re.split(r"prefers-color-scheme: ?dark", style, maxsplit=1)
    named = r"--([a-z-]+): ?(#[0-9a-f]{6})"
    return dict(re.findall(named, light)), dict(re.findall(named, dark))


TEXT_ON_SURFACE = [
    *(
        (ink, surface)
        for ink in ("ink", "soft", "accent-ink")
        for surface in ("card", "paper", "well")
    ),
    *((ink, surface) for ink in ("bad", "warn", "good") for surface in ("card", f"{ink}-tint")),
    ("on-accent", "accent"),
]


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "surface"), TEXT_ON_SURFACE)
def test_the_palette_can_be_read(ink: str, surface: str, mode: int) -> None:
    palette = palettes(ASSETS["style.css"].body.decode())[mode]
    assert contrast(palette[ink], palette[surface]) >= 4.5


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_the_edge_of_a_field_can_be_seen(mode: int) -> None:
    palette = palettes(ASSETS["style.css"].body.decode())[mode]
    assert contrast(palette["edge"], palette["card"]) >= 3


def test_the_accent_is_fitted_to_the_hardest_surface_of_the_style_sheet() -> None:
    light, dark = palettes(ASSETS["style.css"].body.decode())
    assert (light["well"], dark["well"]) == (LIGHT_SURFACE, DARK_SURFACE)
