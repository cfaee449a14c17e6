"""The tampering drill: every crime of a superuser is named by the offline verifier, and a sound log is not accused."""

from __future__ import annotations

import pytest

from deploy import drill


@pytest.fixture(scope="module")
def outcomes(stack, tmp_path_factory):
    return {outcome.crime: outcome for outcome in drill.drill(stack.postgres, tmp_path_factory.mktemp("drill"))}


def test_a_log_that_nobody_touched_is_not_accused(outcomes):
    assert outcomes["nothing, for comparison"].problems == ()


@pytest.mark.parametrize("crime", [crime.name for crime in drill.CRIMES])
def test_the_offline_verifier_names_the_crime(outcomes, crime):
    assert outcomes[crime].named, outcomes[crime].problems


def test_there_are_at_least_ten_kinds():
    assert len(drill.CRIMES) >= 10
