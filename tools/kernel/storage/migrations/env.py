"""Alembic's entry point: run the migrations on the engine handed over by `Database.migrate`."""

from alembic import context

from tools.kernel.storage.base import Base

VERSION_TABLE = "ph_schema_version"

engine = context.config.attributes["engine"]
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
