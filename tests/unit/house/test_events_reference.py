"""docs/reference/events.md has every topic, schema version and field, and no other."""

import re

import pytest
from documents import ROOT, sections, table
from msgspec.structs import fields

from ledger.domain.events import EVENT_TYPES, ClientSettings, StoredSecret

TEXT = (ROOT / "docs/reference/events.md").read_text()
TOPICS = {event_type.TOPIC: event_type for event_type in EVENT_TYPES}


def documented_fields(section):
    return [row[0] for row in table(section)]


def defined_fields(struct):
    return [field.name for field in fields(struct)]


def test_every_topic_is_there_and_no_other():
    assert {title for title in sections(TEXT, 3) if "." in title} == set(TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_the_fields_of_a_topic(topic):
    assert documented_fields(sections(TEXT, 3)[topic]) == defined_fields(TOPICS[topic])


@pytest.mark.parametrize("topic", TOPICS)
def test_the_schema_version_of_a_topic(topic):
    version = re.search(r"Schema version (\d+)\.", sections(TEXT, 3)[topic])
    assert version is not None
    assert int(version[1]) == TOPICS[topic].SCHEMA_VERSION


@pytest.mark.parametrize(("title", "struct"), [("Client settings", ClientSettings), ("Stored secret", StoredSecret)])
def test_the_fields_of_what_events_hold(title, struct):
    assert documented_fields(sections(TEXT, 2)[title]) == defined_fields(struct)


def test_the_defaults_of_client_settings():
    documented = {row[0]: row[2] for row in table(sections(TEXT, 2)["Client settings"])}
    defaults = {
        field.name: "" if field.required else "none" if field.default == () else str(field.default).lower()
        for field in fields(ClientSettings)
    }
    assert documented == defaults
