"""Tables of schedules."""

from typing import Any

import sqlalchemy as sa
from alembic import op

import tools.kernel.storage.base

revision = "schedules_0001"
down_revision = "kernel_0001"
branch_labels = None
depends_on = None

TABLE = "ph_schedules"


def _time(name: str, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        TABLE,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("timing", sa.JSON(), nullable=False),
        sa.Column("after_job", sa.Integer(), nullable=True),
        sa.Column("context", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        _time("next_due"),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        _time("created", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_schedules")),
        sa.UniqueConstraint("tenant", "name", name=op.f("uq_ph_schedules_tenant_name")),
    )
    for column in ("after_job", "status", "tenant"):
        op.create_index(op.f(f"ix_ph_schedules_{column}"), TABLE, [column], unique=False)


def downgrade() -> None:
    """Drop the table."""
    op.drop_table(TABLE)
