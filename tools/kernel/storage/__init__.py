"""The platform's database: SQLAlchemy over SQLite (WAL) or PostgreSQL, migrated by Alembic."""

from tools.kernel.storage.base import Base, Record, now
from tools.kernel.storage.database import Database

__all__ = ["Base", "Database", "Record", "now"]
