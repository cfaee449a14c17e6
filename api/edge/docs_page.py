"""/docs: Swagger UI from files on disk, so that the page works where nothing outside can be reached."""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

from api.edge.middleware.ranges import WholeFiles

_FILES = Path(fastapi_offline.__file__).parent / "static"
_AT = "/docs/files"


def serve_docs(app: FastAPI) -> None:
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Presswork API",
        swagger_js_url=f"{_AT}/swagger-ui-bundle.js",
        swagger_css_url=f"{_AT}/swagger-ui.css",
        swagger_favicon_url=f"{_AT}/favicon.png",
        swagger_ui_parameters={"defaultModelsExpandDepth": 0, "displayRequestDuration": True, "deepLinking": True},
    )

    async def docs() -> HTMLResponse:
        return page

    app.add_api_route("/docs", docs, include_in_schema=False)
    app.mount(_AT, WholeFiles(directory=_FILES), name="docs-files")
