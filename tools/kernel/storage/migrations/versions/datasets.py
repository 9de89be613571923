"""The datasets' tables."""

import sqlalchemy as sa
from alembic import op

from tools.kernel.storage.base import UtcDateTime

revision = "datasets_0001"
down_revision = "kernel_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "ph_datasets_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("builtin", sa.Boolean(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("profile", sa.JSON(), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ph_datasets_versions"),
        sa.UniqueConstraint(
            "tenant", "name", "version", name="uq_ph_datasets_versions_tenant_name_version"
        ),
    )
    for column in ("name", "sha256", "tenant"):
        op.create_index(f"ix_ph_datasets_versions_{column}", "ph_datasets_versions", [column])
    op.create_table(
        "ph_datasets_uses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.Integer(), nullable=False),
        sa.Column("used_by", sa.String(200), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ph_datasets_uses"),
        sa.ForeignKeyConstraint(
            ["dataset"], ["ph_datasets_versions.id"], name="fk_ph_datasets_uses_dataset"
        ),
        sa.UniqueConstraint("dataset", "used_by", name="uq_ph_datasets_uses_dataset_used_by"),
    )
    op.create_index("ix_ph_datasets_uses_tenant", "ph_datasets_uses", ["tenant"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("ph_datasets_uses")
    op.drop_table("ph_datasets_versions")
