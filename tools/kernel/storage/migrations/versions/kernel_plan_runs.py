"""The kernel's table of plans that were due."""

from typing import Any

import sqlalchemy as sa
from alembic import op

import tools.kernel.storage.base

revision = "kernel_plan_runs"
down_revision = "kernel_0002"
branch_labels = None
depends_on = None

TABLE = "ph_plan_runs"


def _time(name: str, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        TABLE,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _time("due", nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("context", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("turn", sa.String(length=80), nullable=True),
        sa.Column("receipts", sa.JSON(), nullable=False),
        _time("began"),
        _time("ended"),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        _time("created", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_plan_runs")),
        sa.UniqueConstraint("source", "key", name=op.f("uq_ph_plan_runs_source_key")),
        sa.UniqueConstraint("source", "number", name=op.f("uq_ph_plan_runs_source_number")),
    )
    for column in ("status", "tenant", "turn"):
        op.create_index(op.f(f"ix_ph_plan_runs_{column}"), TABLE, [column], unique=False)


def downgrade() -> None:
    """Drop the table."""
    op.drop_table(TABLE)
