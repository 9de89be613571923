"""The kernel's tables: a job's cancellation and billed time, and who claims an idempotency key."""

import sqlalchemy as sa
from alembic import op

revision = "kernel_0002"
down_revision = "kernel_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column(
        "ph_jobs",
        sa.Column("cancelling", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column(
        "ph_jobs", sa.Column("seconds", sa.Double(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column(
        "ph_idempotency",
        sa.Column("claimant", sa.String(length=160), server_default="", nullable=False),
    )
    op.add_column(
        "ph_idempotency",
        sa.Column("acting", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_column("ph_idempotency", "acting")
    op.drop_column("ph_idempotency", "claimant")
    op.drop_column("ph_jobs", "seconds")
    op.drop_column("ph_jobs", "cancelling")
