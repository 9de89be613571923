"""The registry in MLflow's own tables, in the platform's database.

A tenant's models carry its name in front (`acme~ticket-router`); `~` cannot occur in a model's
name, so no tenant can name another's model. The default tenant's models are named as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from tools.kernel.errors import Conflict, NotFound, Unavailable
from tools.kernel.identity import Principal
from tools.registry.backend import Lineage, ModelVersionInfo, RegistryBackend
from tools.registry.lock import exclusive

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

    from tools.kernel.storage import Database

TAG = "pilothouse."
ARCHIVED = TAG + "archived"
HELD = TAG + "held."
DEFAULT_TENANT = Principal.__dataclass_fields__["tenant"].default
_PAGE = 1000
_NAME = re.compile(r"[a-z0-9._-]+")


class MlflowBackend(RegistryBackend):
    """Versions and aliases through an `MlflowClient` that works on the database directly.

    Args:
        client: the client.
        database: the same database; its lock makes each change one at a time.
    """

    def __init__(self, client: MlflowClient, database: Database) -> None:
        self._client = client
        self._database = database

    def add(
        self, tenant: str, model: str, artifact: Path, lineage: Lineage
    ) -> tuple[ModelVersionInfo, bool]:
        """See `RegistryBackend.add`."""
        name = _stored(tenant, model)
        with exclusive(self._database, "registry"):
            for known in self.versions(tenant, model):
                if (known.job, known.lineage.variant) == (lineage.job, lineage.variant):
                    return known, False
            self._ensure(name)
            made = self._client.create_model_version(
                name,
                source=artifact.as_uri(),
                run_id=lineage.run_id,
                tags=_tags(lineage),
                description=f"Made by job {lineage.job} from {lineage.dataset}.",
            )
        return _info(tenant, model, made, {}), True

    def version(self, tenant: str, model: str, version: int) -> ModelVersionInfo:
        """See `RegistryBackend.version`."""
        from mlflow.exceptions import MlflowException

        name = _stored(tenant, model)
        try:
            found = self._client.get_model_version(name, str(version))
            aliases = self._aliases(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise self._unknown(tenant, model, version) from None
        return _info(tenant, model, found, aliases)

    def versions(self, tenant: str, model: str | None = None) -> Sequence[ModelVersionInfo]:
        """See `RegistryBackend.versions`."""
        if model is not None and _NAME.fullmatch(model) is None:
            return []
        wanted = f"name = '{_stored(tenant, model)}'" if model else None
        aliases = {m.name: m.aliases for m in self._pages("search_registered_models", wanted)}
        found = [
            _info(tenant, short, version, aliases.get(version.name, {}))
            for version in self._pages("search_model_versions", wanted)
            if (short := _shown(tenant, version.name)) is not None
        ]
        return sorted(found, key=lambda v: (v.model, -v.version))

    def alias(self, tenant: str, model: str, alias: str) -> int | None:
        """See `RegistryBackend.alias`."""
        found = self._aliases(_stored(tenant, model)).get(alias)
        return int(found) if found is not None else None

    def set_alias(self, tenant: str, model: str, alias: str, version: int | None) -> int | None:
        """See `RegistryBackend.set_alias`."""
        name = _stored(tenant, model)
        with exclusive(self._database, "registry"):
            before = self.alias(tenant, model, alias)
            if version is None:
                if before is not None:
                    self._client.delete_registered_model_alias(name, alias)
                return before
            found = self.version(tenant, model, version)
            if found.archived:
                raise Conflict(
                    f"{found} is archived.", hint="Undo its archiving first, or take another one."
                )
            if before != version:
                self._client.set_registered_model_alias(name, alias, str(version))
                self._client.set_model_version_tag(name, str(version), HELD + alias, "yes")
            return before

    def set_archived(self, tenant: str, model: str, version: int, archived: bool) -> bool:
        """See `RegistryBackend.set_archived`."""
        name = _stored(tenant, model)
        with exclusive(self._database, "registry"):
            found = self.version(tenant, model, version)
            if found.archived == archived:
                return False
            if archived:
                _refuse_aliased(found)
                at = datetime.now(UTC).isoformat()
                self._client.set_model_version_tag(name, str(version), ARCHIVED, at)
            else:
                self._client.delete_model_version_tag(name, str(version), ARCHIVED)
            return True

    def remove(self, tenant: str, model: str, version: int) -> None:
        """See `RegistryBackend.remove`."""
        with exclusive(self._database, "registry"):
            _refuse_aliased(self.version(tenant, model, version))
            self._client.delete_model_version(_stored(tenant, model), str(version))

    def _ensure(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _aliases(self, name: str) -> Mapping[str, Any]:
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_registered_model(name).aliases
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return {}

    def _pages(self, method: str, wanted: str | None) -> list[Any]:
        found: list[Any] = []
        token: str | None = None
        while True:
            page: Any = getattr(self._client, method)(
                filter_string=wanted, max_results=_PAGE, page_token=token
            )
            found.extend(page)
            token = page.token
            if not token:
                return found

    def _unknown(self, tenant: str, model: str, version: int) -> NotFound:
        known = [str(v.version) for v in self.versions(tenant, model)]
        if not known:
            return NotFound(f"There is no model named {model!r}.")
        return NotFound(
            f"{model} has no version {version}.", hint=f"It has version {', '.join(known)}."
        )


def _stored(tenant: str, model: str) -> str:
    if _NAME.fullmatch(model) is None:
        raise NotFound(f"There is no model named {model!r}.")
    return model if tenant == DEFAULT_TENANT else f"{tenant}~{model}"


def _shown(tenant: str, stored: str) -> str | None:
    owner, mark, model = stored.rpartition("~")
    if (owner if mark else DEFAULT_TENANT) != tenant:
        return None
    return model


def _refuse_aliased(found: ModelVersionInfo) -> None:
    if found.aliases:
        names = " and ".join(found.aliases)
        raise Conflict(
            f"{found} is the {names} of {found.model}.",
            hint="Point the alias at another version first.",
        )


def _tags(lineage: Lineage) -> dict[str, str]:
    values: dict[str, object] = {
        "job": lineage.job,
        "content_sha256": lineage.content_hash,
        "size_bytes": lineage.size_bytes,
        "dataset": lineage.dataset,
        "dataset_sha256": lineage.dataset_hash,
        "base_model": lineage.base_model,
        "method": lineage.method,
        "labels": json.dumps(lineage.labels),
        "metrics": json.dumps(dict(lineage.metrics), sort_keys=True),
        "code_version": lineage.code_version,
        "registered_by": lineage.registered_by,
        "variant": lineage.variant,
        "parent": lineage.parent,
        "trained_by": lineage.trained_by,
    }
    return {TAG + key: str(value) for key, value in values.items() if value is not None}


def _info(
    tenant: str, model: str, version: ModelVersion, aliases: Mapping[str, Any]
) -> ModelVersionInfo:
    tags: Mapping[str, str] = version.tags or {}
    number = int(version.version)
    return ModelVersionInfo(
        tenant=tenant,
        model=model,
        version=number,
        artifact=_local(version.source or ""),
        lineage=_lineage(version.run_id or "", tags),
        aliases=tuple(sorted(a for a, v in aliases.items() if int(v) == number)),
        archived=ARCHIVED in tags,
        created=datetime.fromtimestamp(int(version.creation_timestamp) / 1000, UTC),
        held=tuple(sorted(t.removeprefix(HELD) for t in tags if t.startswith(HELD))),
    )


def _lineage(run_id: str, tags: Mapping[str, str]) -> Lineage:
    return Lineage(
        job=int(tags.get(TAG + "job", 0)),
        run_id=run_id,
        content_hash=tags.get(TAG + "content_sha256", ""),
        size_bytes=int(tags.get(TAG + "size_bytes", 0)),
        dataset=tags.get(TAG + "dataset"),
        dataset_hash=tags.get(TAG + "dataset_sha256"),
        base_model=tags.get(TAG + "base_model"),
        method=tags.get(TAG + "method"),
        labels=tuple(json.loads(tags.get(TAG + "labels", "[]"))),
        metrics=json.loads(tags.get(TAG + "metrics", "{}")),
        code_version=tags.get(TAG + "code_version"),
        registered_by=tags.get(TAG + "registered_by"),
        variant=tags.get(TAG + "variant"),
        parent=_number(tags.get(TAG + "parent")),
        trained_by=_number(tags.get(TAG + "trained_by")),
    )


def _number(tag: str | None) -> int | None:
    return int(tag) if tag else None


def _local(source: str) -> Path:
    parsed = urlparse(source)
    if parsed.scheme not in {"", "file"}:
        raise Unavailable(
            f"The artifact {source} is not on this machine's disk.",
            hint="Keep artifacts in the home, or on a disk that every process mounts.",
        )
    return Path(unquote(parsed.path))
