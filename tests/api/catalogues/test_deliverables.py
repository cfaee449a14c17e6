"""Files of a catalogue's last run: the feed with its pictures, and the rows without one, which can be sent again."""

from __future__ import annotations

import csv
from io import StringIO

from tests.support.catalogues import ROWS, Catalogue, feed
from tests.support.client import ApiTenant, problem
from workers.jobs.catalogue import flips

LINK = "https://cdn.example/"


def test_the_feed_comes_back_with_its_pictures_and_the_rows_without_one_with_the_reason(api: ApiTenant) -> None:
    chairs = Catalogue(api)
    sent = [*ROWS[:3], "c-04,,red,4", '=1+1,"chair, of 5",red,5.90']
    problem(chairs.client.get(f"{chairs.url}/files/feed.csv"), 404, "not_found")
    plan = chairs.plan(feed(sent))
    problem(chairs.client.get(f"{chairs.url}/files/run.json"), 409, "conflict")
    begun = chairs.applied(plan)
    chairs.make(begun["request_id"], held=["c-02"], failed=["c-03"])
    files = {name: _rows(chairs, name, address=LINK) for name in ("feed.csv", "errors.csv")}
    names = {line["key"]: line["file_name"] for line in _rows(chairs, "manifest")}
    assert [row["picture"] for row in files["feed.csv"]] == [
        LINK + names["c-01"],
        "",
        "",
        "",
        LINK + "%3D1%2B1.png",
    ]
    assert [list(row.values())[:4] for row in files["feed.csv"]][3:] == [
        ["c-04", "", "red", "4"],
        ["'=1+1", "chair, of 5", "red", "5.90"],
    ]
    assert [(row["sku"], row["presswork_code"]) for row in files["errors.csv"]] == [
        ("c-02", "held"),
        ("c-03", "worker_lost"),
        ("c-04", "empty_value"),
    ]
    assert all(row["presswork_message"] for row in files["errors.csv"])
    about = chairs.client.get(f"{chairs.url}/files/run.json").json()
    assert (about["number"], about["flipped"], about["plan"]["digest"]) == (1, 2, plan["digest"])
    sheet = chairs.client.get(f"{chairs.url}/files/errors.csv").content.replace(b"c-04,,", b"c-04,chair 4,")
    again = chairs.plan(sheet.decode())
    assert chairs.changes(again, "create") == [("c-04", 1, "create", "new")]


def test_the_feed_of_the_last_run_is_kept_and_that_of_the_run_before_it_goes(api: ApiTenant) -> None:
    chairs = Catalogue(api)
    chairs.run(feed(ROWS[:2]))
    chairs.run(feed(ROWS[:3]))
    with api.server.line.owner.begin() as conn:
        conn.exec_driver_sql("update catalogue_plans set expires_at = now() where tenant = %s", (api.tenant,))
        found = "select after_run, id::text from catalogue_plans where tenant = %s"
        plans = dict(conn.exec_driver_sql(found, (api.tenant,)).all())
    with api.server.database.engine("clerk").begin() as conn:
        old = flips.old_feeds(conn)
        assert (plans[0] in old, plans[1] in old) == (True, False)
    assert len(_rows(chairs, "feed.csv")) == 3
    with api.server.line.owner.begin() as conn:
        month = "update catalogue_runs set started_at = now() - interval '31 days' where tenant = %s"
        conn.exec_driver_sql(month, (api.tenant,))
    with api.server.database.engine("clerk").begin() as conn:
        assert plans[1] in flips.old_feeds(conn)


def _rows(chairs: Catalogue, name: str, **query: str) -> list[dict[str, str]]:
    path = name if name == "manifest" else f"files/{name}"
    answer = chairs.client.get(f"{chairs.url}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"))))
