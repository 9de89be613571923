"""Tables of graphs."""

import sqlalchemy as sa
from alembic import op

import tools.kernel.storage.base

revision = "graphs_0001"
down_revision = "kernel_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "ph_graph_conversations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("principal", sa.String(length=128), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("updated", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("created", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_graph_conversations")),
    )
    op.create_index(
        op.f("ix_ph_graph_conversations_principal"),
        "ph_graph_conversations",
        ["principal"],
        unique=False,
    )
    op.create_index(
        op.f("ix_ph_graph_conversations_tenant"), "ph_graph_conversations", ["tenant"], unique=False
    )
    op.create_index(
        op.f("ix_ph_graph_conversations_updated"),
        "ph_graph_conversations",
        ["updated"],
        unique=False,
    )
    op.create_table(
        "ph_graph_turns",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("conversation", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("context", sa.JSON(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=True),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("created", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation"],
            ["ph_graph_conversations.id"],
            name=op.f("fk_ph_graph_turns_conversation"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_graph_turns")),
    )
    op.create_index(
        op.f("ix_ph_graph_turns_conversation"), "ph_graph_turns", ["conversation"], unique=False
    )
    op.create_index(op.f("ix_ph_graph_turns_status"), "ph_graph_turns", ["status"], unique=False)
    op.create_index(op.f("ix_ph_graph_turns_tenant"), "ph_graph_turns", ["tenant"], unique=False)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("ph_graph_turns")
    op.drop_table("ph_graph_conversations")
