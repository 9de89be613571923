"""The tables of rollouts and bundles."""

import sqlalchemy as sa
from alembic import op

from tools.kernel.storage.base import UtcDateTime

revision = "deployment_0001"
down_revision = "kernel_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    _rollouts()
    _targets()
    op.create_table(
        "ph_deployment_bundles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("memory_mb", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ph_deployment_bundles"),
        sa.UniqueConstraint(
            "tenant",
            "model",
            "version",
            "source",
            name="uq_ph_deployment_bundles_tenant_model_version_source",
        ),
    )
    for column in ("sha256", "tenant"):
        op.create_index(f"ix_ph_deployment_bundles_{column}", "ph_deployment_bundles", [column])


def _rollouts() -> None:
    op.create_table(
        "ph_deployment_rollouts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job", sa.Integer(), nullable=False),
        sa.Column("device_group", sa.String(64), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("strategy", sa.String(16), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("open_group", sa.String(64), nullable=True),
        sa.Column("takes_over", sa.Integer(), nullable=True),
        sa.Column("bundle", sa.String(64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("baseline_before", sa.JSON(), nullable=False),
        sa.Column("touches", sa.Integer(), nullable=False),
        sa.Column("ended", UtcDateTime(), nullable=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ph_deployment_rollouts"),
        sa.UniqueConstraint("job", name="uq_ph_deployment_rollouts_job"),
    )
    for column in ("device_group", "state", "tenant"):
        op.create_index(f"ix_ph_deployment_rollouts_{column}", "ph_deployment_rollouts", [column])
    op.create_index(
        "uq_ph_deployment_rollouts_open",
        "ph_deployment_rollouts",
        ["tenant", "open_group"],
        unique=True,
    )


def _targets() -> None:
    op.create_table(
        "ph_deployment_targets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rollout", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("chosen", sa.Boolean(), nullable=False),
        sa.Column("awaited", sa.Boolean(), nullable=False),
        sa.Column("touched", sa.Boolean(), nullable=False),
        sa.Column("traffic_before", sa.JSON(), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ph_deployment_targets"),
        sa.ForeignKeyConstraint(
            ["rollout"],
            ["ph_deployment_rollouts.id"],
            name="fk_ph_deployment_targets_rollout",
        ),
        sa.UniqueConstraint("rollout", "device", name="uq_ph_deployment_targets_rollout_device"),
    )
    for column in ("rollout", "tenant"):
        op.create_index(f"ix_ph_deployment_targets_{column}", "ph_deployment_targets", [column])


def downgrade() -> None:
    """Drop them."""
    for table in ("ph_deployment_bundles", "ph_deployment_targets", "ph_deployment_rollouts"):
        op.drop_table(table)
