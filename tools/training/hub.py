"""Base models by their id on the Hugging Face hub: fetched when asked to, then found offline.

A training fetches nothing by itself. What `fetch` brought lies in the hub library's own cache; its
folder names the revision, so that a training on it can be repeated.
"""

from __future__ import annotations

import re
from pathlib import Path

from tools.kernel.errors import NotFound, Unavailable

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
"""No pickled weights: loading them would run what is in them."""


def is_id(name: str) -> bool:
    """True for what can be a hub id, such as `org/model`."""
    return _ID.fullmatch(name) is not None


def cached(name: str) -> Path:
    """The folder of a model that was fetched before, at the revision fetched last.

    Raises:
        NotFound: if it is not here; says how to fetch it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=_FILES, local_files_only=True))
    except LocalEntryNotFoundError:
        raise NotFound(
            f"There is no base model named {name!r} on this machine.",
            hint=f"Fetch it first: `pilothouse models fetch {name}`. A training fetches nothing.",
        ) from None


def fetch(name: str) -> Path:
    """Bring a model's configuration, tokenizer and safetensors weights here; returns their folder.

    Raises:
        NotFound: if the hub has no such model, or lets nobody have it.
        Unavailable: if the hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=_FILES))
    except RepositoryNotFoundError:
        raise NotFound(
            f"The hub has no model {name!r}, or does not let you have it.",
            hint="Write its id as on its page; for a gated model set HF_TOKEN.",
        ) from None
    except (HfHubHTTPError, OSError) as error:
        raise Unavailable(
            f"The model {name} could not be fetched: {str(error).splitlines()[0]}",
            hint="Check the network, HF_ENDPOINT and HF_HUB_OFFLINE; or name a local folder.",
        ) from error
