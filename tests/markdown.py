"""What stands in the project's documents: headings, links, and blocks of code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the heading above it, and its line in the document."""

    language: str
    heading: str
    line: int
    text: str


def blocks(document: Path, language: str | None = None) -> list[Block]:
    """The fenced blocks of a document, of one language or of all."""
    text = document.read_text(encoding="utf-8")
    found = []
    for barrier in _FENCE.finditer(text):
        above = _HEADING.findall(prose_of(text[: barrier.start()]))
        heading = above[-1] if above else ""
        found.append(Block(barrier[1], heading, text.count("\n", 0, barrier.start()) + 2, barrier[2]))
    return [block for block in found if language is None or block.language == language]


def links(document: Path) -> list[str]:
    """Where a document's links lead."""
    return _LINK.findall(prose_of(document.read_text(encoding="utf-8")))


def anchors(document: Path) -> set[str]:
    """What a link into this document may name, as GitHub and others make it from the headings."""
    return set(_slugs(document))


def _slugs(document: Path) -> Iterator[str]:
    seen: dict[str, int] = {}
    for heading in _HEADING.findall(prose_of(document.read_text(encoding="utf-8"))):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        yield f"{slug}-{count}" if count else slug


def prose_of(text: str) -> str:
    """A document without its fenced code: the lines stay, so that their numbers are right."""
    return _FENCE.sub(lambda barrier: "\n" * barrier[0].count("\n"), text)
