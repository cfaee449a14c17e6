"""HTTP client of the commands: one key, one address, problems as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import httpx

from deploy.embedded import background
from deploy.embedded.first_start import api_key_file
from deploy.errors import CallFailed

_TIMEOUT = httpx.Timeout(120.0, connect=5.0)  # a large campaign is checked before it is answered
_SHOWN_ERRORS = 20


class Client:
    """Calls one Presswork API. Raises CallFailed with the text of the problem."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=_TIMEOUT)

    @classmethod
    def of(cls, data: Path, key_file: Path | None = None) -> Self:
        """A client of the embedded stack's API, with the key in the file or the first key. Raises NotRunning."""
        state = background.require_running(data)
        return cls(f"http://127.0.0.1:{state.ports['api']}", (key_file or api_key_file(data)).read_text().strip())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def submit_campaign(self, csv: Path, spec: dict[str, Any], *, idempotency_key: str | None = None) -> dict[str, Any]:
        """POST /v1/campaigns."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        with csv.open("rb") as file:
            parts: dict[str, tuple[str | None, IO[bytes] | str, str]] = {
                "file": (csv.name, file, "text/csv"),
                "spec": (None, json.dumps(spec), "application/json"),
            }
            return self._answer(lambda: self._http.post("/v1/campaigns", files=parts, headers=headers))

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

    def fetch(self, url: str) -> bytes:
        """The bytes behind a presigned link. It needs no key, and ours must not be sent to it."""
        try:
            return httpx.get(url, timeout=_TIMEOUT).raise_for_status().content
        except httpx.HTTPError as error:
            raise CallFailed(f"cannot fetch the image from its link: {error}") from error

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._answer(lambda: self._http.post(path, json=body) if body else self._http.post(path))

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
            answer: dict[str, Any] = reply.json()
            return answer
        raise CallFailed(problem_text(reply))


def problem_text(reply: httpx.Response) -> str:
    """A problem document as lines of text: what is wrong, and for each error where it is and what to do."""
    try:
        problem = reply.json()
    except ValueError:
        return f"the API answered {reply.status_code}: {reply.text[:300]}"
    lines = [f"{problem.get('title', reply.status_code)}: {problem.get('detail', '')}"]
    errors = problem.get("errors") or []
    for error in errors[:_SHOWN_ERRORS]:
        place = " ".join(f"{noun} {error[noun]}" for noun in ("row", "line", "column", "field") if error.get(noun))
        lines.append(f"  {place or 'request'}: {error['message']}. {error['remedy']}")
    if len(errors) > _SHOWN_ERRORS:
        lines.append(f"  ... and {len(errors) - _SHOWN_ERRORS} more")
    lines += [
        f"  row {refusal['row']}, refused by policy: {refusal['message']}" for refusal in problem.get("refused") or []
    ]
    return "\n".join(lines)
