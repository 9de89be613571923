"""Tables of kernel."""

import sqlalchemy as sa
from alembic import op

import tools.kernel.storage.base

revision = "kernel_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "ph_approvals",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("operation", sa.String(length=128), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("proposer", sa.String(length=128), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("conversation", sa.String(length=64), nullable=True),
        sa.Column("plan", sa.String(length=64), nullable=True),
        sa.Column("step", sa.String(length=64), nullable=True),
        sa.Column("preview", sa.JSON(), nullable=False),
        sa.Column("second_person", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("expires", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("decided", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(length=128), nullable=True),
        sa.Column("self_approved", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("seal", sa.String(length=64), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("created", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_approvals")),
    )
    op.create_index(
        op.f("ix_ph_approvals_conversation"), "ph_approvals", ["conversation"], unique=False
    )
    op.create_index(op.f("ix_ph_approvals_digest"), "ph_approvals", ["digest"], unique=False)
    op.create_index(op.f("ix_ph_approvals_status"), "ph_approvals", ["status"], unique=False)
    op.create_index(op.f("ix_ph_approvals_tenant"), "ph_approvals", ["tenant"], unique=False)
    op.create_table(
        "ph_audit",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_ph_audit")),
    )
    op.create_index(op.f("ix_ph_audit_tenant"), "ph_audit", ["tenant"], unique=False)
    op.create_table(
        "ph_counters",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_ph_counters")),
    )
    op.create_table(
        "ph_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.String(length=96), nullable=False),
        sa.Column("kind", sa.String(length=48), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("at", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_events")),
    )
    op.create_index("ix_ph_events_topic_id", "ph_events", ["topic", "id"], unique=False)
    op.create_table(
        "ph_idempotency",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("principal", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("receipt", sa.String(length=32), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("created", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_idempotency")),
        sa.UniqueConstraint(
            "tenant", "principal", "key", name=op.f("uq_ph_idempotency_tenant_principal_key")
        ),
    )
    op.create_index(op.f("ix_ph_idempotency_tenant"), "ph_idempotency", ["tenant"], unique=False)
    op.create_table(
        "ph_jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("operation", sa.String(length=128), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("context", sa.JSON(), nullable=False),
        sa.Column("receipt", sa.String(length=32), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("started", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("created", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_jobs")),
    )
    op.create_index(op.f("ix_ph_jobs_operation"), "ph_jobs", ["operation"], unique=False)
    op.create_index(op.f("ix_ph_jobs_status"), "ph_jobs", ["status"], unique=False)
    op.create_index(op.f("ix_ph_jobs_tenant"), "ph_jobs", ["tenant"], unique=False)
    op.create_table(
        "ph_principals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("created", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_principals")),
        sa.UniqueConstraint("tenant", "name", name=op.f("uq_ph_principals_tenant_name")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_ph_principals_token_hash")),
    )
    op.create_index(op.f("ix_ph_principals_tenant"), "ph_principals", ["tenant"], unique=False)
    op.create_table(
        "ph_receipts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("operation", sa.String(length=128), nullable=False),
        sa.Column("effect", sa.String(length=16), nullable=False),
        sa.Column("principal", sa.String(length=128), nullable=False),
        sa.Column("conversation", sa.String(length=64), nullable=True),
        sa.Column("job", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("undone_by", sa.String(length=32), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("created", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_receipts")),
        sa.UniqueConstraint("number", name=op.f("uq_ph_receipts_number")),
    )
    op.create_index(
        op.f("ix_ph_receipts_conversation"), "ph_receipts", ["conversation"], unique=False
    )
    op.create_index(op.f("ix_ph_receipts_job"), "ph_receipts", ["job"], unique=False)
    op.create_index(op.f("ix_ph_receipts_operation"), "ph_receipts", ["operation"], unique=False)
    op.create_index(op.f("ix_ph_receipts_principal"), "ph_receipts", ["principal"], unique=False)
    op.create_index(op.f("ix_ph_receipts_tenant"), "ph_receipts", ["tenant"], unique=False)
    op.create_table(
        "ph_usage",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("principal", sa.String(length=128), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("amount", sa.Double(), nullable=False),
        sa.Column("source", sa.String(length=96), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("created", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_usage")),
    )
    op.create_index(op.f("ix_ph_usage_principal"), "ph_usage", ["principal"], unique=False)
    op.create_index(op.f("ix_ph_usage_tenant"), "ph_usage", ["tenant"], unique=False)
    op.create_table(
        "ph_job_receipts",
        sa.Column("job", sa.Integer(), nullable=False),
        sa.Column("receipt", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["ph_jobs.id"], name=op.f("fk_ph_job_receipts_job")),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_ph_job_receipts")),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("ph_job_receipts")
    op.drop_table("ph_usage")
    op.drop_table("ph_receipts")
    op.drop_table("ph_principals")
    op.drop_table("ph_jobs")
    op.drop_table("ph_idempotency")
    op.drop_table("ph_events")
    op.drop_table("ph_counters")
    op.drop_table("ph_audit")
    op.drop_table("ph_approvals")
