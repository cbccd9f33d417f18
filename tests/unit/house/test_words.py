"""Documents avoid words that native readers stumble over."""

import re

from documents import ROOT, markdown_files

AVOIDED_WORDS = {
    "whoever": "anyone who, or the noun",
    "nobody": "no process, no client",
    "anew": "again",
    "goes on": "continues",
    "what comes": "the noun",
    "lies behind": "is beyond, is after",
    "hurry": "the verb that is meant",
    "asks what": "introspects, queries",
    "passed over": "skipped",
}
GENERATED = ROOT / "docs/benchmarks"


def test_documents_use_plain_words():
    found = {
        f"{file.relative_to(ROOT)}: {word!r}; write {instead}"
        for file in markdown_files()
        if GENERATED not in file.parents
        for word, instead in AVOIDED_WORDS.items()
        if re.search(rf"\b{word}\b", file.read_text(), re.IGNORECASE)
    }
    assert found == set()
