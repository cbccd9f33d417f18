"""The statements that pgbench runs are the service's."""

import re

import pytest

from benchmarks.ceilings.pgbench import SCRIPTS, TOGETHER, bound, ceilings

DIGESTS = [number.to_bytes(32) for number in range(SCRIPTS * TOGETHER)]


def test_arguments_are_replaced_by_values_also_when_there_are_ten():
    statement = "SELECT $1, $10, $2, $3, $4, $5, $6, $7, $8, $9;"

    assert bound(statement, [f"v{n}" for n in range(1, 11)]) == "SELECT v1, v10, v2, v3, v4, v5, v6, v7, v8, v9"


@pytest.mark.parametrize("values", [["1"], ["1", "2", "3"]])
def test_a_statement_with_more_or_fewer_arguments_is_refused(values):
    with pytest.raises(ValueError, match="values for the arguments"):
        bound("SELECT $1, $2", values)


def test_every_argument_of_the_services_statements_has_a_value():
    for ceiling in ceilings(1, 2, DIGESTS):
        assert all(re.search(r"\$\d", script) is None for script in ceiling.scripts)


def test_look_ups_are_of_different_tokens_and_issuances_in_another_log():
    one, many, *issuing = ceilings(1, 2, DIGESTS)

    assert len(set(one.scripts)) == len(set(many.scripts)) == SCRIPTS
    assert many.scripts[1].count("::bytea") == TOGETHER + 1  # the array is cast as well
    assert all("log_id = 1" in script for script in (*one.scripts, *many.scripts))
    assert all("log_id = 2" in ceiling.scripts[0] and "log_id = 1" not in ceiling.scripts[0] for ceiling in issuing)
