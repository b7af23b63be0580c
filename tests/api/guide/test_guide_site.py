"""The committed guide is what the documents make today, and every link in it leads somewhere."""

from __future__ import annotations

import posixpath
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from mkdocs.exceptions import Abort

from app.api.guide import SITE
from tests.docs import guide_hooks, guide_site
from tests.docs.markers import ROOT

SERVED_ELSEWHERE = {"/docs", "/docs/socket"}
MAX_BYTES = 3_500_000


class References(HTMLParser):
    """The addresses that a page refers to, and the anchors it has."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        for name, value in attrs:
            if name in ("href", "src") and value is not None:
                self.addresses.append(value)
            elif name in ("id", "name") and value:
                self.anchors.add(value)


def broken(files: dict[str, bytes]) -> Iterator[str]:
    """`page: address` for each address of this host that leads nowhere."""
    pages = {name: References(body) for name, body in files.items() if name.endswith(".html")}
    for name, page in pages.items():
        for address in page.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or address in SERVED_ELSEWHERE:
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), parts.path)) if parts.path else name
            anchor = unquote(parts.fragment)
            if target not in files or (anchor and target in pages and anchor not in pages[target].anchors):
                yield f"{name}: {address}"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The guide, built now."""
    directory = tmp_path_factory.mktemp("guide")
    guide_site.build_guide(directory)
    return guide_site.contents(directory)


def test_the_committed_guide_is_that_of_the_documents(fresh: dict[str, bytes]) -> None:
    committed = guide_site.contents(SITE)
    assert sorted(committed) == sorted(fresh), "make guide"
    assert [name for name, body in fresh.items() if committed[name] != body] == [], "make guide"


def test_every_document_is_in_the_guide(fresh: dict[str, bytes]) -> None:
    documents = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")} - {"docs/README.md"}
    pages = {path.removeprefix("docs/") for path in documents} | set(guide_hooks.ELSEWHERE.values())
    assert {name for name in fresh if name.endswith(".html")} == {f"{page.removesuffix('.md')}.html" for page in pages}


def test_every_link_and_anchor_resolves(fresh: dict[str, bytes]) -> None:
    assert list(broken(fresh)) == []
    assert sum(len(References(body).addresses) for name, body in fresh.items() if name.endswith(".html")) > 1_000


def test_a_broken_link_or_anchor_would_be_found() -> None:
    files = {"a.html": b'<a href="b.html#x">', "b.html": b'<p id="y"><a href="c/d.html"><img src="../e.svg">'}
    assert list(broken(files)) == ["a.html: b.html#x", "b.html: c/d.html", "b.html: ../e.svg"]


def test_a_document_with_a_broken_link_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = tmp_path / "docs"
    documents.mkdir()
    (documents / "page.md").write_text("# A page\n\n[Nowhere](page.md#nothing)\n", encoding="utf-8")
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[0]
    hooks = (ROOT / "tests" / "docs" / "guide_hooks.py").as_posix()
    config = config.replace("tests/docs/guide_hooks.py", hooks)
    (tmp_path / "mkdocs.yml").write_text(config, encoding="utf-8")
    monkeypatch.setattr(guide_site, "ROOT", tmp_path)
    with pytest.raises(Abort):
        guide_site.build_guide(tmp_path / "site")


def test_nothing_is_loaded_from_elsewhere_and_no_date_is_in_it(fresh: dict[str, bytes]) -> None:
    for name, body in fresh.items():
        if name.endswith(".html"):
            page = body.decode()
            assert ' style="' not in page, name
            assert "fonts.googleapis" not in page, name
            assert "<script src=http" not in page, name
    assert not {"sitemap.xml", "sitemap.xml.gz"} & fresh.keys()
    assert sum(map(len, fresh.values())) < MAX_BYTES


def test_the_package_contains_every_file_of_the_guide() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["app"]
    missing = [name for name in guide_site.contents(SITE) if not any(fnmatch(f"/{name}", p) for p in patterns)]
    assert missing == []
