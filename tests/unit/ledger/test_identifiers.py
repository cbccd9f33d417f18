"""Stream ids (UUID version 7 by RFC 9562 §5.7, and those of clients), and instants in UTC."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122, UUID

import pytest

from ledger.domain.clock import to_epoch_seconds, to_utc, utc_now
from ledger.domain.identifiers import build_uuid7, client_stream_id
from tests.builders import NOW

ZEROS, ONES = b"\x00" * 10, b"\xff" * 10
EXAMPLE_INSTANT = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
"""The instant of the example in RFC 9562, appendix A.6: 0x017F22E279B0 milliseconds."""


class TestUuid7:
    def test_uuid_is_the_example_of_rfc_9562_appendix_a_6(self):
        # rand_a 0xCC3 and rand_b 0x18C4DC0C0C07398F of the example, before version and variant overwrite bits of them.
        random_bytes = bytes.fromhex("0cc318c4dc0c0c07398f")

        assert build_uuid7(EXAMPLE_INSTANT, random_bytes) == UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")

    def test_uuid_has_version_7_the_rfc_variant_and_74_random_bits(self):
        zeros, ones = build_uuid7(NOW, ZEROS), build_uuid7(NOW, ONES)

        assert (zeros.version, zeros.variant) == (ones.version, ones.variant) == (7, RFC_4122)
        assert (zeros.int ^ ones.int).bit_count() == 74

    @pytest.mark.parametrize("milliseconds", [0, 1, 999, 1_000, 1_714_979_289_123, 1_999_999_999_999])
    def test_uuid_starts_with_48_bits_of_unix_milliseconds(self, milliseconds):
        instant = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)

        assert build_uuid7(instant, ZEROS).int >> 80 == milliseconds
        assert build_uuid7(instant + timedelta(microseconds=999), ZEROS) == build_uuid7(instant, ZEROS)

    def test_uuid_sorts_later_when_built_in_a_later_millisecond(self):
        instants = [NOW + timedelta(milliseconds=n) for n in (0, 1, 2, 999, 1000, 3_600_000)]
        built = [build_uuid7(at, ONES if n % 2 == 0 else ZEROS) for n, at in enumerate(instants)]

        assert built == sorted(built)
        assert [str(one) for one in built] == sorted(str(one) for one in built)

    @pytest.mark.parametrize("count", [0, 9, 11, 16])
    def test_uuid_is_refused_when_given_another_number_of_bytes(self, count):
        with pytest.raises(ValueError, match=f"takes 10 random bytes, got {count}"):
            build_uuid7(NOW, b"\x00" * count)


def test_client_stream_id_never_changes():
    # Stored in every log: another value would orphan every registered client.
    assert client_stream_id("user-client-opaque") == UUID("4ca146d5-828c-50a9-b87c-ae5f3c23b587")
    assert len({client_stream_id(one) for one in ("shop", "Shop", "shop ", "")}) == 4


class TestUtc:
    def test_instant_is_converted_to_utc_when_in_another_zone(self):
        assert utc_now().tzinfo is UTC
        lisbon = datetime(2024, 5, 6, 8, 0, tzinfo=timezone(timedelta(hours=1)))

        assert to_utc(lisbon) == lisbon
        assert to_utc(lisbon).isoformat() == "2024-05-06T07:00:00+00:00"

    def test_instant_is_refused_when_it_has_no_time_zone(self):
        with pytest.raises(ValueError, match="2024-05-06 08:00:00 has no time zone"):
            to_utc(datetime(2024, 5, 6, 8, 0))  # noqa: DTZ001 (refused)

    def test_epoch_seconds_are_rounded_down(self):
        assert to_epoch_seconds(datetime(2024, 5, 6, 8, 0, 0, 999_999, tzinfo=UTC)) == 1714982400
