"""The kernel's tables: passwords, access tokens, sessions, and what signing in needs."""

import sqlalchemy as sa
from alembic import op

from tools.kernel.storage.base import UtcDateTime

revision = "kernel_0003"
down_revision = "kernel_0002"
branch_labels = None
depends_on = None

_MOVE = """
    INSERT INTO ph_tokens (id, principal, label, prefix, hash, tenant, created)
    SELECT 'T' || id, name, 'first', 'ph_', token_hash, tenant, created
    FROM ph_principals WHERE token_hash IS NOT NULL
"""


def _time(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime(timezone=True), nullable=nullable)


def _text(name: str, length: int, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def upgrade() -> None:
    """Create the tables; the tokens that users had become rows of their own."""
    _create_tokens()
    op.execute(_MOVE)
    with op.batch_alter_table("ph_principals") as table:
        table.drop_constraint("uq_ph_principals_token_hash", type_="unique")
        table.drop_column("token_hash")
        table.add_column(_text("password_hash", 256, nullable=True))
        table.add_column(_text("issuer", 256, nullable=True))
        table.add_column(_text("subject", 256, nullable=True))
        table.add_column(
            sa.Column("epoch", sa.Integer(), server_default=sa.text("0"), nullable=False)
        )
        table.create_unique_constraint("uq_ph_principals_issuer_subject", ["issuer", "subject"])
    _create_sessions()
    op.create_table(
        "ph_login_failures",
        _text("key", 64),
        _text("account", 64),
        sa.Column("failures", sa.Integer(), nullable=False),
        _time("last"),
        _time("until", nullable=True),
        _text("tenant", 64),
        _time("created"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_ph_login_failures")),
    )
    op.create_index(op.f("ix_ph_login_failures_account"), "ph_login_failures", ["account"])
    op.create_table(
        "ph_login_flows",
        _text("state", 64),
        _text("browser", 64),
        _text("nonce", 64),
        _text("verifier", 128),
        _text("goal", 512),
        _time("expires"),
        _text("tenant", 64),
        _time("created"),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_ph_login_flows")),
    )

    for table in ("ph_login_failures", "ph_login_flows"):
        op.create_index(op.f(f"ix_{table}_tenant"), table, ["tenant"])


def _create_tokens() -> None:
    op.create_table(
        "ph_tokens",
        _text("id", 16),
        _text("principal", 128),
        _text("label", 64),
        _text("prefix", 12),
        _text("hash", 64),
        sa.Column("scopes", sa.JSON(), nullable=True),
        _text("audience", 512, nullable=True),
        _time("expires", nullable=True),
        _time("used", nullable=True),
        _time("revoked", nullable=True),
        _text("tenant", 64),
        _time("created"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_ph_tokens_hash")),
    )
    op.create_index(op.f("ix_ph_tokens_principal"), "ph_tokens", ["principal"])
    op.create_index(op.f("ix_ph_tokens_tenant"), "ph_tokens", ["tenant"])


def _create_sessions() -> None:
    op.create_table(
        "ph_sessions",
        _text("id", 16),
        _text("principal", 128),
        sa.Column("epoch", sa.Integer(), nullable=False),
        _text("hash", 64),
        _text("previous", 64, nullable=True),
        _text("csrf", 64),
        _time("rotated"),
        _time("seen"),
        _time("expires"),
        _text("tenant", 64),
        _time("created"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_sessions")),
        sa.UniqueConstraint("hash", name=op.f("uq_ph_sessions_hash")),
    )
    for column in ("principal", "previous", "tenant"):
        op.create_index(op.f(f"ix_ph_sessions_{column}"), "ph_sessions", [column])


def downgrade() -> None:
    """Drop them; each user keeps the hash of one token."""
    op.add_column("ph_principals", _text("token_hash", 64, nullable=True))
    op.execute(
        "UPDATE ph_principals SET token_hash = (SELECT hash FROM ph_tokens WHERE"
        " ph_tokens.principal = ph_principals.name AND ph_tokens.tenant = ph_principals.tenant"
        " AND revoked IS NULL AND scopes IS NULL LIMIT 1)"
    )
    with op.batch_alter_table("ph_principals") as table:
        table.drop_constraint("uq_ph_principals_issuer_subject", type_="unique")
        for column in ("password_hash", "issuer", "subject", "epoch"):
            table.drop_column(column)
        table.create_unique_constraint("uq_ph_principals_token_hash", ["token_hash"])
    for name in ("ph_tokens", "ph_sessions", "ph_login_failures", "ph_login_flows"):
        op.drop_table(name)
