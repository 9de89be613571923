"""The form of a version that each device of a rollout gets, and the bundles of those forms."""

import sqlalchemy as sa
from alembic import op

revision = "deployment_0003"
down_revision = "deployment_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; rollouts that there are gave every device the same."""
    with op.batch_alter_table("ph_deployment_rollouts") as table:
        table.add_column(sa.Column("bundles", sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("ph_deployment_targets") as table:
        table.add_column(sa.Column("form", sa.String(64), nullable=True))
