"""Fixtures: an auditor of the issuer at /ms-auth-server."""

import pytest
from auditor import Auditor


@pytest.fixture
async def auditor(caller):
    return await Auditor(caller).sign_in()
