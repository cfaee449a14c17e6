"""Soak of a whole installation: every kind of fault at least once, in shuffled order, and the accounts at the end.

    python -m bench.soak --minutes 30 --seed 1 [--logs FOLDER]

Two good workers and now and then a bad one, three tenants, webhooks, cancels, reviews, recalls and pilots. The device
is not real; everything else is. Exit code 1: something was lost, doubled, unscreened or left; the report says what.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.soak.accounts import Accounts
from bench.soak.customers import Customers
from bench.soak.faults import Faults
from bench.soak.installation import Installation
from tests.support.receiver import receiving

_READY_SECONDS = 600.0  # on a machine that does other things too
_END_SECONDS = 300.0  # for everything to settle after the last fault


def main() -> None:
    asked = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="presswork-soak-"))
    try:
        with Installation(folder) as installation, receiving() as receiver:
            customers = Customers(installation, receiver, random.Random(asked.seed))
            wrong = _run(installation, customers, minutes=asked.minutes, seed=asked.seed)
    finally:
        if asked.logs:
            asked.logs.mkdir(parents=True, exist_ok=True)
            for log in folder.glob("*.log"):
                shutil.copy(log, asked.logs)
        shutil.rmtree(folder, ignore_errors=True)
    raise SystemExit(1 if wrong else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long faults go on; every kind happens anyhow")
    parser.add_argument("--seed", type=int, default=1, help="of the order of faults, and of what customers do")
    parser.add_argument("--logs", type=Path, help="keep the logs of the processes there")
    return parser.parse_args()


def _run(on: Installation, customers: Customers, *, minutes: float, seed: int) -> list[str]:
    if not on.until(lambda: bool(on.query("select 1 from gpu_workers")), _READY_SECONDS):
        raise SystemExit("no worker came up")
    customers.open_accounts()
    customers.start()
    faults = Faults(on, customers, random.Random(seed))
    began, before = time.monotonic(), on.memory()
    happened = _shuffled(faults, until=began + 60 * minutes)
    customers.stop()
    print(f"faults {sum(happened.values())} of {len(happened)} kinds in {time.monotonic() - began:.0f} s", flush=True)
    settled = on.until(lambda: not customers.tidy() and _is_still(on), _END_SECONDS)
    accounts = Accounts(on, customers)
    if not settled:
        accounts.wrong.append(f"not settled {_END_SECONDS:g} s after the last fault: {dict(on.states())}")
    accounts.close()
    _report(accounts, happened, before, on)
    return accounts.wrong


def _shuffled(faults: Faults, *, until: float) -> Counter[str]:
    """Every kind once, in rounds of another order each, until the time is over."""
    happened: Counter[str] = Counter()
    kinds = faults.kinds
    while time.monotonic() < until or not happened:
        order = list(kinds)
        faults.chance.shuffle(order)
        for name in order:
            if happened and len(happened) == len(kinds) and time.monotonic() >= until:
                break
            states = dict(faults.on.states())
            print(f"{time.strftime('%H:%M:%S')} {name:38} {states}", flush=True)
            kinds[name]()
            happened[name] += 1
            time.sleep(faults.chance.uniform(1, 3))
    return happened


def _is_still(on: Installation) -> bool:
    """Nothing is open, waits to be told, or is still to be moved or sealed."""
    (row,) = on.query(
        "select (select count(*) from items where state in ('pending', 'planned'))"
        " + (select count(*) from webhook_deliveries where state = 'pending')"
        " + (select count(*) from recalls where finished_at is null)"
        " + (select count(*) from holds where carried_out_at is null)"
        " + (select count(*) from audit.pending) as open"
    )
    return int(row.open) == 0


def _report(accounts: Accounts, happened: Counter[str], before: dict[str, int], on: Installation) -> None:
    print()
    for name, count in sorted(happened.items()):
        print(f"fault  {name:40} {count}")
    for line in accounts.said:
        print(f"count  {line}")
    after, starts = on.memory(), {name: kept.starts for name, kept in on.kept.items()}
    for name in sorted(after):
        print(f"memory {name:12} {before.get(name, 0):5} -> {after[name]:5} MiB, started {starts[name]} times")
    for tenant in accounts.customers.tenants:
        for line in tenant.unanswered:
            print(f"note   {tenant.name}: {line}")
    for line in accounts.wrong:
        print(f"WRONG  {line}")
    print("nothing lost, nothing twice, nothing unscreened" if not accounts.wrong else "FAILED", flush=True)


if __name__ == "__main__":
    main()
