"""Client of the OpenAI API for tests: the official package on our API, files of lines, batches until they end."""

from __future__ import annotations

import json
import time
from typing import Any

import openai

from tests.support.client import ApiTenant

ENDPOINT = "/v1/images/generations"


def client_of(api: ApiTenant, **settings: Any) -> openai.OpenAI:
    caller = api.caller(**settings)
    key = caller.headers.pop("Authorization").removeprefix("Bearer ")
    return openai.OpenAI(api_key=key, base_url="http://testserver/v1", http_client=caller, max_retries=0)


def line_of(custom_id: str, **body: Any) -> dict[str, Any]:
    wanted = {"prompt": "a red car", "size": "128x128", **body}
    return {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": wanted}


def jsonl(*lines: Any) -> bytes:
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)


def uploaded(client: openai.OpenAI, content: bytes) -> Any:
    return client.files.create(file=("lines.jsonl", content), purpose="batch")


def batch_of(client: openai.OpenAI, *lines: Any, **asked: Any) -> Any:
    file = uploaded(client, jsonl(*lines))
    return client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", **asked)


def polled(client: openai.OpenAI, batch: Any, *statuses: str) -> Any:
    """The batch once it has one of these statuses, as a program waits for it."""
    for _ in range(3_000):
        batch = client.batches.retrieve(batch.id)
        if batch.status in statuses:
            return batch
        time.sleep(0.01)
    raise AssertionError(f"it is {batch.status}: {batch}")


def lines_of(client: openai.OpenAI, file_id: str) -> dict[str, Any]:
    """The lines of an output file by their ids."""
    return {line["custom_id"]: line for line in map(json.loads, client.files.content(file_id).text.splitlines())}
