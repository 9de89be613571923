"""The device fleet's tables."""

import sqlalchemy as sa
from alembic import op

from tools.kernel.storage.base import UtcDateTime

revision = "devices_0001"
down_revision = "kernel_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    _groups()
    _devices()
    op.create_table(
        "ph_devices_reports",
        sa.Column("device", sa.Integer(), nullable=False),
        sa.Column("boot", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("earlier", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("device", name="pk_ph_devices_reports"),
        sa.ForeignKeyConstraint(
            ["device"], ["ph_devices_devices.id"], name="fk_ph_devices_reports_device"
        ),
    )


def _groups() -> None:
    op.create_table(
        "ph_devices_groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.Column("baseline", sa.JSON(), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ph_devices_groups"),
        sa.UniqueConstraint("tenant", "name", name="uq_ph_devices_groups_tenant_name"),
    )
    op.create_index("ix_ph_devices_groups_tenant", "ph_devices_groups", ["tenant"])


def _devices() -> None:
    op.create_table(
        "ph_devices_devices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("device_group", sa.String(64), nullable=False),
        sa.Column("profile", sa.String(16), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=True),
        sa.Column("token_expires", UtcDateTime(), nullable=True),
        sa.Column("public_key", sa.Text(), nullable=True),
        sa.Column("credential_hash", sa.String(64), nullable=True),
        sa.Column("enrolled", UtcDateTime(), nullable=True),
        sa.Column("retired", UtcDateTime(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("serve", sa.JSON(), nullable=False),
        sa.Column("stage", sa.JSON(), nullable=False),
        sa.Column("cause", sa.String(96), nullable=True),
        sa.Column("changed", UtcDateTime(), nullable=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ph_devices_devices"),
        sa.UniqueConstraint("tenant", "name", name="uq_ph_devices_devices_tenant_name"),
        sa.UniqueConstraint("token_hash", name="uq_ph_devices_devices_token_hash"),
        sa.UniqueConstraint("credential_hash", name="uq_ph_devices_devices_credential_hash"),
    )
    for column in ("device_group", "tenant"):
        op.create_index(f"ix_ph_devices_devices_{column}", "ph_devices_devices", [column])


def downgrade() -> None:
    """Drop them."""
    for table in ("ph_devices_reports", "ph_devices_devices", "ph_devices_groups"):
        op.drop_table(table)
