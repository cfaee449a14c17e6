"""HTTP client: one key, one address, problems as text. Safe to use from several threads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self

import httpx

from deploy.client.address import address_of
from deploy.client.problems import document_text, problem_text
from deploy.errors import CallFailed

_TIMEOUT = httpx.Timeout(120.0, connect=5.0)  # a campaign is checked before it is answered
_LOOK_SECONDS = 0.5  # between two looks at the check of a large one
OnCheck = Callable[[Mapping[str, Any]], object]


class Client:
    """Calls one Presswork API. Raises CallFailed with the text of the problem."""

    def __init__(self, url: str, key: str) -> None:
        trust = httpx.create_ssl_context()  # reading the authorities takes longer than a call
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=_TIMEOUT, verify=trust
        )
        self._links = httpx.Client(timeout=_TIMEOUT, verify=trust)  # sends no key

    @classmethod
    def of(cls, data: Path, embedded_key: Path | None = None) -> Self:
        """A client of the installation that options and environment name, or of the embedded stack at `data`.

        `embedded_key` is the file to read there if nothing names a key. Raises NotRunning and AddressInvalid.
        """
        found = address_of(data, embedded_key)
        return cls(found.url, found.key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()
        self._links.close()

    def submit_campaign(
        self,
        sheet: Path | BinaryIO,
        spec: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        pictures: BinaryIO | None = None,
        on_check: OnCheck | None = None,
    ) -> dict[str, Any]:
        """The reply of a submission, or of a check where the spec says `dry_run`. `pictures`: a ZIP that rows name.

        A large file is checked in the background: then this waits for its end, and `on_check` is given the check again
        and again.
        """
        sent = self.send_campaign(sheet, spec, idempotency_key=idempotency_key, pictures=pictures)
        return sent if "state" not in sent else self.checked(sent["id"], on_check)

    def send_campaign(
        self,
        sheet: Path | BinaryIO,
        spec: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        pictures: BinaryIO | None = None,
    ) -> dict[str, Any]:
        """POST /v1/campaigns: the reply, or of a large file its check, which has a `state`."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        with _opened(sheet) as (name, file):
            parts: dict[str, tuple[str | None, IO[bytes] | str, str]] = {
                "file": (name, file, "application/octet-stream"),
                "spec": (None, json.dumps(dict(spec)), "application/json"),
            }
            if pictures is not None:
                parts["pictures"] = ("pictures.zip", pictures, "application/zip")
            return self._answer(lambda: self._http.post("/v1/campaigns", files=parts, headers=headers))

    def check_campaign(
        self,
        sheet: Path | BinaryIO,
        spec: Mapping[str, Any],
        *,
        pictures: BinaryIO | None = None,
        on_check: OnCheck | None = None,
    ) -> dict[str, Any]:
        """What a submission would be answered. Nothing is stored."""
        return self.submit_campaign(sheet, {**spec, "dry_run": True}, pictures=pictures, on_check=on_check)

    def campaign_check(self, campaign_id: str) -> dict[str, Any] | None:
        """GET /v1/campaigns/{id}: a large campaign that is or was checked in the background; None for any other id."""
        reply = self._http.get(f"/v1/campaigns/{campaign_id}")
        return None if reply.status_code == httpx.codes.NOT_FOUND else self._answer(lambda: reply)

    def checked(self, campaign_id: str, on_check: OnCheck | None = None) -> dict[str, Any]:
        """What a large campaign is answered, once it is checked. Raises CallFailed with what is wrong with it."""
        while (check := self.get(f"/v1/campaigns/{campaign_id}"))["state"] == "checking":
            if on_check:
                on_check(check)
            time.sleep(_LOOK_SECONDS)
        if check["state"] == "failed":
            raise CallFailed(document_text(check["problem"]))
        if check["state"] == "cancelled":
            raise CallFailed(f"campaign {campaign_id} was cancelled before it was checked. Nothing was stored")
        reply: dict[str, Any] = check["reply"]
        return reply

    def plan_catalogue(
        self, name: str, written: Mapping[str, Any], feed: Path | None, pictures: Mapping[str, str]
    ) -> dict[str, Any]:
        """POST /v1/catalogues/{name}/plans: the plan, which is made next."""
        parts: dict[str, Any] = {"catalogue": (None, json.dumps(dict(written)), "application/json")}
        if pictures:
            parts["pictures"] = (None, json.dumps({"pictures": dict(pictures)}), "application/json")
        if feed is None:
            return self._answer(lambda: self._http.post(f"/v1/catalogues/{name}/plans", files=parts))
        with feed.open("rb") as file:
            parts["file"] = (feed.name, file, "application/octet-stream")
            return self._answer(lambda: self._http.post(f"/v1/catalogues/{name}/plans", files=parts))

    def add_input(self, picture: Path, consent: str = "") -> dict[str, Any]:
        """POST /v1/inputs: a picture that images are made from."""
        with picture.open("rb") as file:
            parts = {"file": (picture.name, file, "application/octet-stream")}
            return self._answer(lambda: self._http.post("/v1/inputs", files=parts, data={"consent": consent}))

    def delete(self, path: str) -> dict[str, Any]:
        return self._answer(lambda: self._http.delete(path))

    def console_link(self) -> str:
        """An address that opens the console with this key, once, within ten minutes."""
        return str(self._http.base_url).rstrip("/") + str(self.post("/console/links")["path"])

    def requests(self) -> Iterator[dict[str, Any]]:
        """Every request of the tenant, newest first."""
        return self.pages("/v1/requests")

    def cancel(self, request_id: str, part: Mapping[str, Any] | None = None) -> int:
        """How many items were cancelled; with `part`, of those that it selects. None of one that is being checked."""
        if part is None and (check := self.campaign_check(request_id)) and check["state"] == "checking":
            self.post(f"/v1/campaigns/{request_id}/cancel")
            return 0
        return int(self.post(f"/v1/requests/{request_id}/cancel", dict(part or {}))["cancelled"])

    def watch(self, request_id: str, *, pause_seconds: float = 0.3) -> Iterator[dict[str, Any]]:
        """Its status again and again, the last time when no item is open, or when its pilot waits for a person."""
        while True:
            status = self.request(request_id)
            yield status
            if status["state"] == "finished" or status["phase"] == "awaiting_acceptance":
                return
            time.sleep(pause_seconds)

    def results(self, request_id: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The lines of GET /v1/requests/{id}/results, as they arrive. Raises CallFailed where the answer breaks off."""
        with self.stream(f"/v1/requests/{request_id}/results", format="jsonl", **query) as parts:
            rest = b""
            for part in parts:
                *lines, rest = (rest + part).split(b"\n")
                yield from map(json.loads, lines)

    @contextmanager
    def stream(self, path: str, **query: Any) -> Iterator[Iterator[bytes]]:
        """The bytes of an answer as they arrive. Raises CallFailed, also where the answer breaks off."""
        try:
            with self._http.stream("GET", path, params=query) as reply:
                if not reply.is_success:
                    reply.read()
                    raise CallFailed(problem_text(reply))
                yield reply.iter_bytes()
        except httpx.HTTPError as error:
            raise CallFailed(f"the API's answer broke off: {error}. Remedy: run the command again") from error

    def identify(self, picture: Path) -> dict[str, Any]:
        """POST /v1/identify; the result comes later."""
        content = picture.read_bytes()
        headers = {"Content-Type": "application/octet-stream"}
        return self._answer(lambda: self._http.post("/v1/identify", content=content, headers=headers))

    def request(self, request_id: str) -> dict[str, Any]:
        return self.get(f"/v1/requests/{request_id}")

    def items(self, request_id: str) -> Iterator[dict[str, Any]]:
        return self.pages(f"/v1/requests/{request_id}/items")

    def assets(self, request_id: str) -> Iterator[dict[str, Any]]:
        return self.pages(f"/v1/requests/{request_id}/assets")

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self._answer(lambda: self._http.get(path, params=query))

    def fetch(self, url: str, *, most: int | None = None) -> bytes:
        """The bytes behind a presigned link, `most` of them. It needs no key, and ours must not be sent to it."""
        read = bytearray()
        try:
            with self._links.stream("GET", url) as reply:
                reply.raise_for_status()
                for part in reply.iter_bytes():
                    read += part
                    if most is not None and len(read) > most:
                        raise CallFailed(f"the file behind a link has more than the {most:,} bytes that it should have")
        except httpx.HTTPError as error:
            raise CallFailed(f"cannot fetch the image from its link: {error}") from error
        return bytes(read)

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._answer(lambda: self._http.put(path, json=dict(body)))

    def post(
        self, path: str, body: dict[str, Any] | None = None, *, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        sent: dict[str, Any] = {"json": body} if body else {}
        return self._answer(lambda: self._http.post(path, headers=headers, **sent))

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._answer(lambda: self._http.patch(path, json=body))

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every entry of a list. A page is fetched when its first entry is needed."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(path, limit=500, **query, **({"cursor": cursor} if cursor else {}))
            yield from page["data"]
            cursor = page["next_cursor"]

    def _answer(self, call: Any) -> dict[str, Any]:
        try:
            reply: httpx.Response = call()
        except httpx.HTTPError as error:
            raise CallFailed(
                f"the API did not answer: {error}. Remedy: `presswork status` shows what is running"
            ) from error
        if reply.is_success:
            answer: dict[str, Any] = reply.json() if reply.content else {}
            return answer
        raise CallFailed(problem_text(reply))


@contextmanager
def _opened(sheet: Path | BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    if isinstance(sheet, Path):
        with sheet.open("rb") as file:
            yield sheet.name, file
    else:
        yield "rows", sheet
