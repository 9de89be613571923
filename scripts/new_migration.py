"""Write the first migration of a domain from its tables: `python -m scripts.new_migration DOMAIN`.

The file creates every table whose class is defined in `tools.<domain>.tables`.
"""

from __future__ import annotations

import sys
from importlib import import_module

from alembic.autogenerate import render_python_code
from alembic.operations import ops

from tools.kernel.storage.base import Base
from tools.kernel.storage.database import MIGRATIONS

TEMPLATE = '''"""Tables of {domain}."""

import sqlalchemy as sa
from alembic import op

{imports}revision = "{domain}_0001"
down_revision = {down}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
{upgrade}


def downgrade() -> None:
    """Drop the tables."""
{downgrade}
'''


def main(domain: str) -> None:
    """Write `versions/<domain>.py`."""
    module = "graphs.tables" if domain == "graphs" else f"tools.{domain}.tables"
    import_module(module)
    tables = [
        t
        for t in Base.metadata.sorted_tables
        if any(m.class_.__module__ == module for m in Base.registry.mappers if m.local_table is t)
    ]
    create: list[ops.MigrateOperation] = []
    for table in tables:
        create.append(ops.CreateTableOp.from_table(table))
        create.extend(
            ops.CreateIndexOp.from_index(i)
            for i in sorted(table.indexes, key=lambda i: str(i.name))
        )
    drop: list[ops.MigrateOperation] = [ops.DropTableOp.from_table(t) for t in reversed(tables)]
    upgrade = _code(create)
    imports = "import tools.kernel.storage.base\n\n" if "tools.kernel" in upgrade else ""
    text = TEMPLATE.format(
        domain=domain,
        imports=imports,
        down="None" if domain == "kernel" else '"kernel_0001"',
        upgrade=upgrade,
        downgrade=_code(drop),
    )
    (MIGRATIONS / "versions" / f"{domain}.py").write_text(text)


def _code(operations: list[ops.MigrateOperation]) -> str:
    text = render_python_code(
        ops.UpgradeOps(ops=operations), sqlalchemy_module_prefix="sa.", alembic_module_prefix="op."
    )
    kept = [line for line in text.splitlines() if not line.strip().startswith("#")]
    return "\n".join(
        line if line.startswith("    ") or not line else f"    {line}" for line in kept
    )


if __name__ == "__main__":
    main(sys.argv[1])
