"""Which page has which generated regions."""

from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generator.audit import audit_regions
from docs.generator.cli import cli_regions
from docs.generator.database import database_regions
from docs.generator.errors import error_regions
from docs.generator.events import event_regions
from docs.generator.metrics import metric_regions
from docs.generator.regions import replace_regions
from docs.generator.settings import setting_regions

REFERENCE = Path(__file__).parents[1] / "reference"

PAGES: Mapping[str, Callable[[], Mapping[str, str]]] = {
    "audit-api.md": audit_regions,
    "cli.md": cli_regions,
    "database.md": database_regions,
    "events.md": event_regions,
    "http.md": error_regions,
    "metrics.md": metric_regions,
    "settings.md": setting_regions,
}


def render_page(name: str) -> str:
    """The text that the page must have. Raises RegionError."""
    return replace_regions(name, (REFERENCE / name).read_text(encoding="utf-8"), PAGES[name]())


def render_pages() -> dict[str, str]:
    """The text of every page with generated regions, by file name. Raises RegionError."""
    return {name: render_page(name) for name in PAGES}
