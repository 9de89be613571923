"""Configuration: one home folder, `PILOTHOUSE_*` variables, no secret with a default."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tools.kernel.errors import InvalidInput


def _split(value: Any) -> Any:
    """A list as a variable holds it: words between commas."""
    if not isinstance(value, str):
        return value
    return tuple(word.strip() for word in value.split(",") if word.strip())


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
RoleName = Literal["viewer", "operator", "approver", "admin"]
TenantName = Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
Folders = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """All settings. Each is read from the variable `PILOTHOUSE_` + its name in capitals.

    Attributes:
        home: the folder that holds everything; created with mode 0700 when first used.
        database_url: SQLAlchemy URL; SQLite in the home when not set.
        model: name of the language model, or `provider:name`; none means the parser alone.
        model_url: base URL of its endpoint, which speaks OpenAI's protocol unless `model` names a
            provider.
        model_key: its key.
        model_timeout: seconds after which a sentence's planning by the language model is given up,
            its repair included; also the longest that one call of an agent may take.
        model_budget_tokens: tokens that one principal may use in a day.
        model_input_price: money that a million tokens of prompt cost.
        model_output_price: money that a million tokens of answer cost.
        worker: number of this process among those that share a home and a PostgreSQL; 0 is the one
            that commands speak to.
        port: the platform process's port on 127.0.0.1; 0 takes a free one.
        threads: compute threads of a training or evaluation child process.
        ray_address: `host:port` of a Ray cluster, of which this machine is a node; trainings and
            trials compute there when it is set.
        ray_workers: processes of that cluster that train one model together, each a part of
            every batch; fewer where the cluster has no room for them.
        training_memory_mb: megabytes that a training may take; most of what is free when not set.
        hourly_rate: money an hour of compute costs, for estimates and reports.
        daily_budget: money that one principal may spend in a day; none means no limit.
        currency: the unit of both.
        approval_minutes: how long a pending approval stays open.
        device_report_seconds: how long a device may be silent before it counts as failed.
        device_credential_seconds: how long a device's credential is good for; devices renew theirs
            at half of it.
        mqtt_url: the broker over which devices are woken, `mqtt://host:1883` or `mqtts://host:8883`.
        log_level: of the platform process.
        host: the address to listen on; any but a loopback address needs TLS, or `plain_http`.
        plain_http: True to listen on such an address without TLS, behind a proxy that has it.
        tls_cert: the certificate chain (PEM) to serve HTTPS with.
        tls_key: its private key (PEM).
        public_url: what people and programs call the gateway; `http://127.0.0.1:PORT` when not
            set.
        allowed_hosts: names that requests may be made to, beside loopback names and `public_url`.
        cors_origins: web origins whose scripts may call the API, such as `https://tools.example`.
        body_limit_mb: the largest request that is taken, in MiB.
        requests_per_minute: what one principal may ask in a minute on average.
        address_requests_per_minute: what one network address may.
        data_folders: folders of this machine whose files every user of the default tenant may have
            read as data or documents.
        oidc_issuer: URL of an OpenID Connect provider that people may sign in at.
        oidc_client_id: what this gateway is called there.
        oidc_client_secret: its secret there; none for a public client, which PKCE protects.
        oidc_name: what the button on the login page calls the provider.
        oidc_scope: what is asked of it.
        oidc_name_claim: the claim that becomes a user's name.
        oidc_role_claim: the claim that holds a person's groups or roles there; dots lead inside.
        oidc_roles: which of its values give which role here, as JSON: `{"ml-ops": "operator"}`.
        oidc_default_role: the role of who has none of these; none keeps them out.
        oidc_tenant_claim: the claim that holds a person's organisation; none means all are of the
            default tenant.
        oidc_tenants: which of its values is which tenant here, as JSON; others are kept out.
        session_idle_minutes: after how long without a request a session ends.
        session_hours: after how long it ends in any case.
        session_rotate_minutes: how often its secret is replaced.
        metrics: who may read `/metrics`: `loopback` (this machine, or with a token), `token`, or
            `open` (whoever reaches the port).
    """

    model_config = SettingsConfigDict(
        env_prefix="PILOTHOUSE_", extra="ignore", env_ignore_empty=True
    )

    home: Path = Field(default_factory=lambda: Path.home() / ".pilothouse")
    database_url: str | None = None
    model: str | None = None
    model_url: str | None = None
    model_key: SecretStr | None = None
    model_timeout: float = Field(30.0, gt=0, le=600)
    model_budget_tokens: int = Field(500_000, ge=0)
    model_input_price: float = Field(0.0, ge=0)
    model_output_price: float = Field(0.0, ge=0)
    worker: int = Field(0, ge=0, le=999)
    port: int = Field(0, ge=0, le=65535)
    threads: int = Field(1, ge=1, le=256)
    ray_address: str | None = Field(None, pattern=r"^(\[[0-9a-fA-F:]+\]|[^\s/:]+):\d{1,5}$")
    ray_workers: int = Field(1, ge=1, le=64)
    training_memory_mb: int | None = Field(None, ge=1)
    hourly_rate: float = Field(0.40, ge=0)
    daily_budget: float | None = Field(None, ge=0)
    currency: str = "EUR"
    approval_minutes: int = Field(60, ge=1, le=7 * 24 * 60)
    device_report_seconds: float = Field(30.0, gt=0)
    device_credential_seconds: float = Field(3600.0, gt=0, le=30 * 24 * 3600)
    mqtt_url: str | None = Field(None, pattern=r"^mqtts?://[^/?#\s]+$")
    log_level: str = "INFO"
    host: str = Field("127.0.0.1", min_length=1, max_length=255)
    plain_http: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    public_url: str | None = Field(None, pattern=r"^https?://[^/?#\s]+/?$")
    allowed_hosts: Words = ()
    cors_origins: Words = ()
    body_limit_mb: float = Field(100.0, gt=0, le=100_000)
    requests_per_minute: int = Field(3000, ge=1)
    address_requests_per_minute: int = Field(6000, ge=1)
    data_folders: Folders = ()
    oidc_issuer: str | None = Field(None, pattern=r"^https?://\S+$")
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_name: str = "single sign-on"
    oidc_scope: str = "openid profile email"
    oidc_name_claim: str = "preferred_username"
    oidc_role_claim: str = "roles"
    oidc_roles: dict[str, RoleName] = Field(default_factory=dict[str, RoleName])
    oidc_default_role: RoleName | None = None
    oidc_tenant_claim: str | None = None
    oidc_tenants: dict[str, TenantName] = Field(default_factory=dict[str, TenantName])
    session_idle_minutes: float = Field(60.0, gt=0, le=7 * 24 * 60)
    session_hours: float = Field(12.0, gt=0, le=30 * 24)
    session_rotate_minutes: float = Field(10.0, gt=0, le=24 * 60)
    metrics: Literal["loopback", "token", "open"] = "loopback"

    def __init__(self, **values: Any) -> None:
        """Read the environment; what is given by name goes before it.

        Raises:
            InvalidInput: naming each variable that is wrong.
        """
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InvalidInput(_told(error), hint="`pilothouse doctor` shows them all.") from None

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @cached_property
    def database(self) -> str:
        """The SQLAlchemy URL of the platform's database."""
        return self.database_url or f"sqlite:///{self.home / 'pilothouse.db'}"

    @cached_property
    def jobs_database(self) -> str:
        """The URL of the job engine's own tables: a file beside, or the same server."""
        return self.database_url or f"sqlite:///{self.home / 'jobs.db'}"

    def folder(self, *parts: str) -> Path:
        """A folder under the home, made (mode 0700) when missing."""
        path = self.home.joinpath(*parts)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path


def _told(error: ValidationError) -> str:
    """Which variables are wrong, without their values, which may be secret."""
    return "; ".join(
        f"PILOTHOUSE_{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
        for problem in error.errors(include_input=False)
    )
