"""The evaluation's tables."""

import sqlalchemy as sa
from alembic import op

from tools.kernel.storage.base import UtcDateTime

revision = "evaluation_0001"
down_revision = "kernel_0001"
branch_labels = None
depends_on = None

RESULTS = "ph_evaluation_results"
COMPARISONS = "ph_evaluation_comparisons"


def upgrade() -> None:
    """Make them."""
    op.create_table(
        RESULTS,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("measured_by", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("training_job", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.String(64), nullable=True),
        sa.Column("dataset", sa.String(160), nullable=False),
        sa.Column("split", sa.String(16), nullable=False),
        sa.Column("accuracy", sa.Double(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{RESULTS}"),
        sa.UniqueConstraint("measured_by", name=f"uq_{RESULTS}_measured_by"),
    )
    op.create_table(
        COMPARISONS,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("measured_by", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("other_model", sa.String(128), nullable=False),
        sa.Column("other_version", sa.Integer(), nullable=False),
        sa.Column("p_value", sa.Double(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{COMPARISONS}"),
        sa.UniqueConstraint("measured_by", name=f"uq_{COMPARISONS}_measured_by"),
    )
    for column in ("model", "training_job", "tenant"):
        op.create_index(f"ix_{RESULTS}_{column}", RESULTS, [column])
    for column in ("model", "other_model", "tenant"):
        op.create_index(f"ix_{COMPARISONS}_{column}", COMPARISONS, [column])


def downgrade() -> None:
    """Drop them."""
    op.drop_table(COMPARISONS)
    op.drop_table(RESULTS)
