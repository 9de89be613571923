"""What `pilothouse doctor` looks at, one function a check; none of them changes anything."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from tools.kernel.errors import PilothouseError
from ui.errors import translate
from ui.home import HomeFiles
from ui.launch import running

if TYPE_CHECKING:
    from tools.kernel.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agents", "edge", "evals", "graphs", "mcp_servers", "tools", "ui")
LIBRARIES = ("torch", "transformers", "peft", "mlflow", "chromadb", "onnxruntime", "dbos", "mcp")
DISK_FULL, DISK_TIGHT = 500_000_000, 2_000_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """What a check found; `note` is worth knowing but nothing to mend."""

    name: str
    state: Literal["good", "note", "wrong"]
    told: str
    hint: str | None = None


def check_all() -> list[Check]:
    """Every check, in the order in which causes come before effects."""
    checks = (
        _python,
        _packages,
        _libraries,
        _configuration,
        _assets,
        _home,
        _disk,
        _platform,
        _port,
        _database,
        _audit,
        _language_model,
    )
    return [_safely(check) for check in checks]


def _safely(check: Callable[[], Check]) -> Check:
    name = check.__name__.strip("_").replace("_", " ")
    try:
        return check()
    except Exception as error:
        known = translate(error) or PilothouseError(f"{type(error).__name__}: {error}")
        return Check(name, "wrong", known.message, known.hint)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] == (3, 11):
        return Check("python", "good", f"{version} at {sys.executable}")
    return Check("python", "wrong", f"{version}, but 3.11 is needed", "`make setup` uses it.")


def _packages() -> Check:
    strange = [f"{name} → {where}" for name in PACKAGES if (where := _elsewhere(name))]
    if not strange:
        return Check("packages", "good", f"all {len(PACKAGES)} are this project's, in {ROOT}")
    return Check(
        "packages",
        "wrong",
        f"another library or folder answers to our names: {', '.join(strange)}",
        "Run from another folder, or remove the library from this environment.",
    )


def _elsewhere(name: str) -> str | None:
    spec = find_spec(name)
    if spec is None:
        return "not found"
    where = spec.origin or next(iter(spec.submodule_search_locations or ()), "nowhere")
    return None if Path(where).resolve().is_relative_to(ROOT / name) else where


def _libraries() -> Check:
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if not missing:
        return Check("libraries", "good", "all are installed")
    return Check("libraries", "wrong", f"missing: {', '.join(missing)}", "Run `make setup`.")


def _configuration() -> Check:
    from tools.kernel.settings import Settings

    _settings()
    known = {f"PILOTHOUSE_{name.upper()}" for name in Settings.model_fields}
    known |= {"PILOTHOUSE_ASSETS", "PILOTHOUSE_TOKEN", "PILOTHOUSE_CI", "PILOTHOUSE_SKIP_ASSETS"}
    unknown = sorted(
        name for name in os.environ if name.startswith("PILOTHOUSE_") and name not in known
    )
    if unknown:
        told = f"variables that mean nothing: {', '.join(unknown)}"
        return Check("configuration", "note", told, "Perhaps a typing error?")
    return Check("configuration", "good", "valid")


def _assets() -> Check:
    from tools.kernel.assets import assets_dir, verify

    problems = verify()
    if problems:
        return Check("assets", "wrong", "; ".join(problems[:3]), "Run `pilothouse models fetch`.")
    return Check("assets", "good", f"every file is what the manifest pins, in {assets_dir()}")


def _home() -> Check:
    files = HomeFiles()
    if not files.home.exists():
        return Check("home", "note", f"{files.home} is made at the first use")
    mode = files.home.stat().st_mode & 0o777
    if not os.access(files.home, os.R_OK | os.W_OK | os.X_OK):
        return Check("home", "wrong", f"{files.home} cannot be written by this user")
    if mode & 0o077:
        hint = f"chmod 700 {files.home}"
        return Check("home", "wrong", f"others can look into {files.home} (mode {mode:o})", hint)
    return Check("home", "good", f"{files.home}, readable by its owner alone")


def _disk() -> Check:
    place = HomeFiles().home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    told = f"{free / 1e9:.1f} GB free at {place}"
    if free < DISK_FULL:
        return Check("disk", "wrong", told, "Training and bundles need more; free some space.")
    return Check("disk", "note" if free < DISK_TIGHT else "good", told)


def _platform() -> Check:
    files = HomeFiles()
    state = running(files)
    if state is not None:
        return Check("platform", "good", f"runs on {state.url} (process {state.pid})")
    if files.is_running():
        return Check("platform", "note", "a process holds the home's lock but does not answer yet")
    stale = (
        " (its file is left over from one that was killed; harmless)" if files.run.exists() else ""
    )
    return Check("platform", "note", f"does not run{stale}; commands start it")


def _port() -> Check:
    port = _settings().port
    if port == 0:
        return Check("port", "good", "a free one is chosen at each start")
    state = running(HomeFiles())
    if state is not None and state.port == port:
        return Check("port", "good", f"{port} is ours")
    with socket.socket() as trial:
        if trial.connect_ex(("127.0.0.1", port)) == 0:
            hint = "Set PILOTHOUSE_PORT to a free port, or to 0."
            return Check("port", "wrong", f"{port} is used by another program", hint)
    return Check("port", "good", f"{port} is free")


def _database() -> Check:
    settings = _settings()
    if settings.database_url is None and not (settings.home / "pilothouse.db").exists():
        return Check("database", "note", "is made at the first use")
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from tools.kernel.storage import Database
    from tools.kernel.storage.database import MIGRATIONS

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    wanted = set(ScriptDirectory.from_config(config).get_heads())
    database = Database(settings.database)
    try:
        with database.engine.connect() as connection:
            settled = MigrationContext.configure(
                connection, opts={"version_table": "ph_schema_version"}
            )
            current = set(settled.get_current_heads())
    finally:
        database.close()
    behind = sorted(wanted - current)
    if behind:
        told = f"{len(behind)} migration(s) behind: {', '.join(behind)}"
        return Check("database", "note", told, "The next start of the platform migrates it.")
    return Check("database", "good", f"migrated ({len(wanted)} heads)")


def _audit() -> Check:
    settings = _settings()
    if settings.database_url is None and not (settings.home / "pilothouse.db").exists():
        return Check("audit", "note", "has no record yet")
    from tools.kernel.audit import Audit
    from tools.kernel.keys import Keys
    from tools.kernel.storage import Database

    database = Database(settings.database)
    try:
        keys = Keys(settings.home / "keys")
        verdict = Audit(database, keys, settings.home / "audit.head").verify()
    finally:
        database.close()
    if verdict.intact:
        return Check("audit", "good", f"{verdict.records} records, none altered or missing")
    return Check("audit", "wrong", f"broken: {verdict.problem}", "See `pilothouse audit verify`.")


def _language_model() -> Check:
    settings = _settings()
    if settings.model is None:
        told = "none; the parser alone understands, and says so when it does not"
        return Check("language model", "note", told, "PILOTHOUSE_MODEL sets one.")
    if settings.model_url is None:
        told = f"{settings.model} at its provider's own address, which was not asked"
        return Check("language model", "note", told)
    where = urlsplit(settings.model_url)
    try:
        port = where.port or (443 if where.scheme == "https" else 80)
        socket.create_connection((where.hostname or "", port), timeout=3).close()
    except (OSError, ValueError) as error:
        told = f"{settings.model}: nothing answers at {settings.model_url} ({error})"
        mend = "Start its server, or mend PILOTHOUSE_MODEL_URL. The parser works without it."
        return Check("language model", "wrong", told, mend)
    return Check("language model", "good", f"{settings.model} at {settings.model_url}")


def _settings() -> Settings:
    from ui.platform import load_settings

    return load_settings()
