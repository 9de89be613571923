"""`/api/v1/uploads`: files that a caller brings along, for operations that read a path.

They wait in a folder of the caller's under the home, where only their tenant may have them read.
"""

from __future__ import annotations

import re
import shutil
import unicodedata
from pathlib import Path as FilePath
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Path, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from tools.kernel.errors import InvalidInput, NotFound
from tools.kernel.identity import RequestContext
from tools.kernel.server_files import UPLOADS
from tools.kernel.settings import Settings
from ui.api.door import PREFIX, Caller, Door, TheDoor

router = APIRouter(prefix=f"{PREFIX}/uploads", tags=["uploads"])
OCTETS = "application/octet-stream"
# OpenAPI takes two templates of one path for the same path, so that both have one parameter.
Name = Annotated[
    str, Path(alias="upload", min_length=1, max_length=255, description="The file's name.")
]
Id = Annotated[
    str, Path(min_length=1, max_length=255, description="What a file's upload was answered with.")
]
_UNSAFE = re.compile(r"[^\w.-]+")
_UPLOAD = re.compile(r"^[0-9a-f]{12}$")


class Upload(BaseModel):
    """A file that was taken in.

    Attributes:
        upload: its id.
        path: what operations are called with to have it read.
        bytes: its size.
    """

    upload: str
    path: str
    bytes: int


@router.put(
    "/{upload}",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload(name: Name, request: Request, context: Caller, door: TheDoor) -> Upload:
    """Bring a file along; nothing reads it until an operation is called with its path."""
    await run_in_threadpool(door.kernel.gate.admit, "datasets.add", context)
    number = uuid4().hex[:12]
    folder = upload_folder(door.kernel.settings, context, number)
    kept = folder / safe_name(name)
    try:
        size = await _received(request, kept)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Upload(upload=number, path=str(kept), bytes=size)


@router.delete("/{upload}", status_code=204)
def discard(upload: Id, context: Caller, door: TheDoor) -> None:
    """Delete a file that was brought along."""
    if not _UPLOAD.match(upload) or not _known(door, context, upload):
        raise NotFound(f"There is no upload {upload[:40]!r}.")
    shutil.rmtree(upload_folder(door.kernel.settings, context, upload))


def upload_folder(settings: Settings, context: RequestContext, upload: str) -> FilePath:
    """Where the files of one upload wait; made when missing."""
    person = safe_name(context.principal.name)
    return settings.folder(UPLOADS, safe_name(context.tenant), person, upload)


def safe_name(name: str) -> str:
    """A file's name without anything that means something to a file system or a parser."""
    flat = unicodedata.normalize("NFKC", name).replace("\\", "/").rpartition("/")[2]
    kept = _UNSAFE.sub("-", flat).strip(".-")[-100:].strip(".-")
    return kept or "file"


def _known(door: Door, context: RequestContext, upload: str) -> bool:
    person = safe_name(context.principal.name)
    folders = door.kernel.settings.home / UPLOADS / safe_name(context.tenant) / person
    return (folders / upload).is_dir()


async def _received(request: Request, path: FilePath) -> int:
    size = 0
    await run_in_threadpool(path.touch, 0o600)
    with open(path, "wb") as file:  # noqa: ASYNC230 - opening is quick, writing is done in a thread
        async for part in request.stream():
            size += len(part)
            await run_in_threadpool(file.write, part)
    if size == 0:
        raise InvalidInput(f"{path.name} is empty.")
    return size
