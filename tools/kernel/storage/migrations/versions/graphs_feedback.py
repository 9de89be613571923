"""Tables of graphs: what people said of answers."""

import sqlalchemy as sa
from alembic import op

import tools.kernel.storage.base

revision = "graphs_feedback"
down_revision = "graphs_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "ph_graph_feedback",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("conversation", sa.String(length=64), nullable=False),
        sa.Column("principal", sa.String(length=128), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=True),
        sa.Column("good", sa.Boolean(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("meant", sa.Text(), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("created", tools.kernel.storage.base.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation"],
            ["ph_graph_conversations.id"],
            name=op.f("fk_ph_graph_feedback_conversation"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ph_graph_feedback")),
    )
    for column in ("conversation", "principal", "tenant"):
        op.create_index(
            op.f(f"ix_ph_graph_feedback_{column}"), "ph_graph_feedback", [column], unique=False
        )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("ph_graph_feedback")
