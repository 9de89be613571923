"""The documents' tables."""

import sqlalchemy as sa
from alembic import op

from tools.kernel.storage.base import UtcDateTime

revision = "knowledge_0001"
down_revision = "kernel_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "ph_knowledge_documents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(512), nullable=False),
        sa.Column("title", sa.String(512), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("builtin", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("batch", sa.String(32), nullable=False),
        sa.Column("replaced_in", sa.String(32), nullable=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ph_knowledge_documents"),
    )
    op.create_index(
        "ix_ph_knowledge_documents_name", "ph_knowledge_documents", ["tenant", "name", "status"]
    )
    for column in ("batch", "replaced_in", "tenant"):
        op.create_index(f"ix_ph_knowledge_documents_{column}", "ph_knowledge_documents", [column])
    op.create_table(
        "ph_knowledge_passages",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("document", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ph_knowledge_passages"),
        sa.ForeignKeyConstraint(
            ["document"], ["ph_knowledge_documents.id"], name="fk_ph_knowledge_passages_document"
        ),
    )
    for column in ("document", "tenant"):
        op.create_index(f"ix_ph_knowledge_passages_{column}", "ph_knowledge_passages", [column])
    op.create_table(
        "ph_knowledge_seeds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(512), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ph_knowledge_seeds"),
        sa.UniqueConstraint("tenant", "name", name="uq_ph_knowledge_seeds_tenant_name"),
    )
    op.create_index("ix_ph_knowledge_seeds_tenant", "ph_knowledge_seeds", ["tenant"])


def downgrade() -> None:
    """Drop them."""
    for table in ("seeds", "passages", "documents"):
        op.drop_table(f"ph_knowledge_{table}")
