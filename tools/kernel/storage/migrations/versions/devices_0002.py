"""Devices: credentials that expire and are replaced, and a mark of the last change."""

import sqlalchemy as sa
from alembic import op

from tools.kernel.storage.base import UtcDateTime, now

revision = "devices_0002"
down_revision = "devices_0001"
branch_labels = None
depends_on = None

_TABLE = "ph_devices_devices"
_TIMES = ("credential_expires", "next_expires", "locked", "touched")
_HASHES = ("next_hash", "previous_hash")
_INDEXES = {"next_hash": True, "previous_hash": False, "touched": False}


def upgrade() -> None:
    """Add the columns; a credential that has no end yet gets one when it is renewed."""
    for name in _TIMES:
        op.add_column(_TABLE, sa.Column(name, UtcDateTime(), nullable=True))
    for name in _HASHES:
        op.add_column(_TABLE, sa.Column(name, sa.String(64), nullable=True))
    op.execute(sa.table(_TABLE, sa.column("touched", UtcDateTime())).update().values(touched=now()))
    for name, unique in _INDEXES.items():
        op.create_index(f"ix_{_TABLE}_{name}", _TABLE, [name], unique=unique)


def downgrade() -> None:
    """Drop them."""
    for name in _INDEXES:
        op.drop_index(f"ix_{_TABLE}_{name}", _TABLE)
    for name in (*_TIMES, *_HASHES):
        op.drop_column(_TABLE, name)
