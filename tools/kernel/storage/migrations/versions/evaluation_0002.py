"""Reports of every other kind, and experiments."""

import sqlalchemy as sa
from alembic import op

from tools.kernel.storage.base import UtcDateTime

revision = "evaluation_0002"
down_revision = "evaluation_0001"
branch_labels = None
depends_on = None

REPORTS = "ph_evaluation_reports"
EXPERIMENTS = "ph_evaluation_experiments"


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        REPORTS,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("key", sa.String(160), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{REPORTS}"),
        sa.UniqueConstraint("tenant", "kind", "key", name=f"uq_{REPORTS}_tenant_kind_key"),
    )
    op.create_table(
        EXPERIMENTS,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("other_model", sa.String(128), nullable=False),
        sa.Column("other_version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{EXPERIMENTS}"),
    )
    for column in ("model", "tenant"):
        op.create_index(f"ix_{REPORTS}_{column}", REPORTS, [column])
        op.create_index(f"ix_{EXPERIMENTS}_{column}", EXPERIMENTS, [column])


def downgrade() -> None:
    """Drop them."""
    op.drop_table(EXPERIMENTS)
    op.drop_table(REPORTS)
