"""Rollouts in steps: what was said of them, how they are judged, freezes, outcomes of A/B tests."""

import sqlalchemy as sa
from alembic import op

from tools.kernel.storage.base import UtcDateTime

revision = "deployment_0002"
down_revision = "deployment_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and make the tables."""
    with op.batch_alter_table("ph_deployment_rollouts") as table:
        table.add_column(sa.Column("plan", sa.JSON(), nullable=False, server_default="{}"))
        table.add_column(sa.Column("step", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("skip", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("hold", sa.Text(), nullable=True))
    with op.batch_alter_table("ph_deployment_targets") as table:
        table.add_column(sa.Column("wave", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("excluded", sa.Boolean(), nullable=False, server_default="0"))
        table.add_column(sa.Column("facts_before", sa.JSON(), nullable=False, server_default="{}"))
    _table(
        "judgements",
        sa.Column("rollout", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
    )
    _table(
        "freezes",
        sa.Column("device_group", sa.String(64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("lifted", UtcDateTime(), nullable=True),
        sa.Column("declared_by", sa.String(128), nullable=False),
    )
    _table(
        "outcomes",
        sa.Column("rollout", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.UniqueConstraint("rollout", "key", name="uq_ph_deployment_outcomes_rollout_key"),
    )
    op.create_index("ix_ph_deployment_judgements_rollout", "ph_deployment_judgements", ["rollout"])


def _table(name: str, *columns: sa.schema.SchemaItem) -> None:
    full = f"ph_deployment_{name}"
    op.create_table(
        full,
        sa.Column("id", sa.Integer(), nullable=False),
        *columns,
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{full}"),
    )
    op.create_index(f"ix_{full}_tenant", full, ["tenant"])
