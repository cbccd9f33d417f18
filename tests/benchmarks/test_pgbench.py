"""pgbench runs the statements of the service."""

import re

import pytest

from benchmarks.ceilings.pgbench import LOOKUPS_PER_QUERY, SCRIPTS, bind_arguments, list_ceilings

DIGESTS = [number.to_bytes(32) for number in range(SCRIPTS * LOOKUPS_PER_QUERY)]


def test_arguments_are_replaced_even_when_there_are_ten():
    statement = "SELECT $1, $10, $2, $3, $4, $5, $6, $7, $8, $9;"

    assert (
        bind_arguments(statement, [f"v{n}" for n in range(1, 11)]) == "SELECT v1, v10, v2, v3, v4, v5, v6, v7, v8, v9"
    )


@pytest.mark.parametrize("values", [["1"], ["1", "2", "3"]])
def test_statement_is_refused_when_values_do_not_match_its_arguments(values):
    with pytest.raises(ValueError, match="values for the arguments"):
        bind_arguments("SELECT $1, $2", values)


def test_every_argument_of_the_service_statements_has_a_value():
    for ceiling in list_ceilings(1, 2, DIGESTS):
        assert all(re.search(r"\$\d", script) is None for script in ceiling.scripts)


def test_look_ups_use_different_tokens_and_issuances_another_log():
    one, many, *issuing = list_ceilings(1, 2, DIGESTS)

    assert len(set(one.scripts)) == len(set(many.scripts)) == SCRIPTS
    assert many.scripts[1].count("::bytea") == LOOKUPS_PER_QUERY + 1  # the array is cast as well
    assert all("log_id = 1" in script for script in (*one.scripts, *many.scripts))
    assert all("append_events(2, " in ceiling.scripts[0] for ceiling in issuing)
