"""Time-ordered UUIDs by RFC 9562 §5.7, and the stream of a client."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest

from ledger.domain.identifiers import build_uuid7, client_stream_id
from tests.builders import NOW

EXAMPLE_INSTANT = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
"""The instant of the example in RFC 9562, appendix A.6: 0x017F22E279B0 milliseconds."""


def test_uuid7_is_the_example_of_rfc_9562_appendix_a_6():
    # rand_a 0xCC3 and rand_b 0x18C4DC0C0C07398F of the example, before version and variant overwrite bits of them.
    random_bytes = bytes.fromhex("0cc318c4dc0c0c07398f")

    assert build_uuid7(EXAMPLE_INSTANT, random_bytes) == UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")


@pytest.mark.parametrize("random_bytes", [b"\x00" * 10, b"\xff" * 10, bytes(range(10))])
def test_uuid7_has_version_7_and_the_rfc_variant(random_bytes):
    made = build_uuid7(NOW, random_bytes)

    assert made.version == 7
    assert made.variant == RFC_4122


def test_uuid7_has_74_random_bits():
    zeros = build_uuid7(NOW, b"\x00" * 10)
    ones = build_uuid7(NOW, b"\xff" * 10)

    assert (zeros.int ^ ones.int).bit_count() == 74


@pytest.mark.parametrize("milliseconds", [0, 1, 999, 1_000, 1_714_979_289_123, 1_999_999_999_999])
def test_uuid7_starts_with_48_bits_of_unix_milliseconds(milliseconds):
    instant = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)

    assert build_uuid7(instant, b"\x00" * 10).int >> 80 == milliseconds


def test_uuid7_ignores_fractions_of_a_millisecond():
    assert build_uuid7(NOW, b"\x00" * 10) == build_uuid7(NOW + timedelta(microseconds=999), b"\x00" * 10)


def test_uuid7_sorts_later_when_built_in_a_later_millisecond():
    instants = [NOW + timedelta(milliseconds=n) for n in (0, 1, 2, 999, 1000, 3_600_000)]
    made = [build_uuid7(at, b"\xff" * 10 if n % 2 == 0 else b"\x00" * 10) for n, at in enumerate(instants)]

    assert made == sorted(made)
    assert [str(one) for one in made] == sorted(str(one) for one in made)


@pytest.mark.parametrize("count", [0, 9, 11, 16])
def test_uuid7_is_refused_when_given_another_number_of_bytes(count):
    with pytest.raises(ValueError, match=f"takes 10 random bytes, got {count}"):
        build_uuid7(NOW, b"\x00" * count)


def test_client_stream_id_never_changes():
    # Stored in every log: another value would orphan every registered client.
    assert client_stream_id("user-client-opaque") == UUID("4ca146d5-828c-50a9-b87c-ae5f3c23b587")


def test_client_stream_ids_differ_when_client_ids_differ():
    assert len({client_stream_id(one) for one in ("shop", "Shop", "shop ", "")}) == 4
