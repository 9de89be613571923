"""Every operation is complete, and none is reachable round the gate."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest
from pydantic import SecretStr

from tools.catalog import DOMAINS, load_operations
from tools.kernel.identity import Role
from tools.kernel.operations import Args, Effect, Inverse, Operation, Result
from tools.kernel.policy import RULES

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("agents", "edge", "evals", "graphs", "mcp_servers", "scripts", "tools", "ui")
OPERATIONS = list(load_operations())
PUBLIC = [o for o in OPERATIONS if o.spoken]
ACTS = [o for o in OPERATIONS if o.effect is not Effect.READ]

RUNS_OPERATIONS = {"tools/kernel/gate.py", "tools/kernel/job_engine.py"}
STORES_APPROVALS = {
    "tools/kernel/approvals.py",
    "tools/kernel/approval_records.py",
    "tools/kernel/tables.py",
}
COUNTS_APPROVALS = {"tools/reporting/records.py"}
BESIDE_THE_GATE = {
    "tools.devices.protocol": "what device processes themselves speak; none of it is an operation",
}
WITHOUT_INVERSE = {
    "devices.rotate_key": "the old key is not kept; another rotation makes another",
    "datasets.remove": "itself the inverse of an addition; the file can be added again",
    "training.cancel": "a stopped training is started anew, with a receipt of its own",
    "training.remove_variants": "itself the inverse of shrinking, which makes them again",
    "evaluation.run": "measures and stores figures; there is nothing to take back",
    "evaluation.compare": "measures and stores figures; there is nothing to take back",
    "evaluation.look_at_experiment": "rows that were looked at cannot be unseen",
    "evaluation.conclude_experiment": "a decision stays on record; declare another experiment",
    "evaluation.withdraw_experiment": "itself the inverse of a declaration; declare it again",
    "evaluation.drift": "measures and stores figures; there is nothing to take back",
    "evaluation.frontier": "measures and stores figures; there is nothing to take back",
    "evaluation.answers": "measures and stores figures; there is nothing to take back",
    "evaluation.grade": "measures and stores figures; there is nothing to take back",
    "evaluation.benchmark": "measures and stores figures; there is nothing to take back",
    "evaluation.robustness": "measures and stores figures; there is nothing to take back",
    "knowledge.withdraw": "itself the inverse of an ingestion",
    "deployment.record_outcome": "how a request ended is a fact; a second report changes nothing",
    "platform.undo": "its own act is undone by the receipt of the inverse that it ran",
    "platform.cancel_job": "a stopped job is started anew, with a receipt of its own",
    "platform.remove_user": "the token is not kept; the user is added anew with a new one",
    "platform.remove_tenant_user": "the token is not kept; the user is added anew with a new one",
    "platform.reset_password": "the old password is not kept; another reset makes another",
    "platform.unlock_user": "an account locks itself again after further failures",
    "platform.revoke_token": "the token is not kept; another one is made instead",
}

ON_ONES_OWN = {
    "platform.create_token": "narrows what one may do anyway; others' tokens need an admin",
    "platform.revoke_token": "ends what one made oneself; others' tokens need an admin",
}


def named(operations: list[Operation]) -> dict:
    return {"argvalues": operations, "ids": [o.name for o in operations]}


def sources() -> list[tuple[str, ast.Module]]:
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [(str(p.relative_to(ROOT)), ast.parse(p.read_text())) for p in found]


@pytest.fixture(scope="module")
def trees() -> list[tuple[str, ast.Module]]:
    return sources()


def functions_read(tree: ast.Module) -> list[int]:
    """The lines that read an attribute `function`, as `operation.function` is."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr == "function"
        and isinstance(node.ctx, ast.Load)
    ]


def test_only_the_gate_and_the_job_engine_run_an_operations_function(trees):
    described = {"tools/kernel/operations.py"}  # reads docstring and module of the function
    reading = {path for path, tree in trees if functions_read(tree)}
    called = {
        path
        for path, tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "function"
    }
    assert called == RUNS_OPERATIONS
    foreign = {p for p in reading - described - RUNS_OPERATIONS if not llm_functions_only(p)}
    assert foreign == set()


def llm_functions_only(path: str) -> bool:
    """True for modules that speak of a language model's function calls, not of operations."""
    text = (ROOT / path).read_text()
    return path.startswith(("agents/", "graphs/")) and "tool_call" in text


def test_no_domain_calls_another_operations_function_by_its_name(trees):
    """`remove(args, call)` would act without the gate; operations are only ever decorated."""
    declaring = {o.function.__module__.replace(".", "/") + ".py" for o in OPERATIONS}
    for path, tree in trees:
        if path not in declaring:
            continue
        declared = {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef)
            and any(
                isinstance(d, ast.Call) and getattr(d.func, "id", "") == "operation"
                for d in node.decorator_list
            )
        }
        called = {
            node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not declared & called, path


def test_an_operation_itself_cannot_be_called():
    assert not any(callable(operation) for operation in OPERATIONS)


def acts_on_the_platform(tree: ast.Module) -> bool:
    """True if the module has a class that is made with the kernel: a service."""
    return any(
        isinstance(node, ast.FunctionDef)
        and node.name == "__init__"
        and "kernel" in [a.arg for a in node.args.args]
        for node in ast.walk(tree)
    )


def test_doors_and_graph_import_no_service_of_a_domain(trees):
    services = {
        path.removesuffix(".py").replace("/", ".")
        for path, tree in trees
        if path.startswith("tools/")
        and path.split("/")[1] in DOMAINS
        and (path.endswith("service.py") or acts_on_the_platform(tree))
    }
    assert {f"tools.{domain}.service" for domain in DOMAINS} <= services
    graph = grimp.build_graph(
        "agents", "evals", "graphs", "mcp_servers", "tools", "ui", cache_dir=None
    )
    reaching = {
        (module, imported)
        for module in graph.modules
        if not module.startswith("tools")
        for imported in graph.find_modules_directly_imported_by(module)
        if imported in services and imported not in BESIDE_THE_GATE
    }
    assert reaching == set()


def test_nobody_but_the_approvals_touches_their_table(trees):
    touching = {
        path
        for path, tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.alias)
        and "ApprovalRow" in (getattr(node, "id", ""), getattr(node, "name", ""))
    }
    assert touching <= STORES_APPROVALS | COUNTS_APPROVALS
    for path in COUNTS_APPROVALS:
        assert not re.search(r"(update|insert|delete|ApprovalRow)\(", (ROOT / path).read_text())
    text = {path for path, _ in trees if "ph_approvals" in (ROOT / path).read_text()}
    assert text <= {"tools/kernel/tables.py", "tools/kernel/storage/migrations/versions/kernel.py"}


def test_no_operation_decides_an_approval(trees):
    """A person decides, at a door; an operation could be called by a model."""
    deciding = {
        path
        for path, tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "grant"
    }
    assert {path for path in deciding if not path.startswith(("ui/", "scripts/"))} == set()


@pytest.mark.parametrize("operation", **named(OPERATIONS))
def test_a_name_is_a_domain_and_a_verb(operation):
    assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", operation.name)
    assert operation.domain in DOMAINS
    assert operation.function.__module__.startswith(f"tools.{operation.domain}.")


@pytest.mark.parametrize("operation", **named(OPERATIONS))
def test_what_it_takes_and_answers_is_typed_and_described(operation):
    assert issubclass(operation.input, Args)
    assert issubclass(operation.output, Result)
    assert operation.summary.endswith((".", ".)")), "one sentence, which receipts and tools show"
    assert len(operation.summary) <= 160
    for name, field in operation.input.model_fields.items():
        assert field.description, f"{operation.name} {name} has no description"
        assert field.annotation is not SecretStr, "arguments are stored, hashed and shown"


@pytest.mark.parametrize("operation", **named(PUBLIC))
def test_it_has_sentences_that_people_would_say(operation):
    examples = [e.strip().casefold() for e in operation.examples]
    assert len(set(examples)) == len(examples) >= 8
    assert all(3 < len(e) < 200 and "{" not in e for e in examples)


def test_no_sentence_is_an_example_of_two_operations():
    seen: dict[str, str] = {}
    for operation in PUBLIC:
        for example in operation.examples:
            key = example.strip().casefold().rstrip("?.! ")
            assert seen.setdefault(key, operation.name) == operation.name, example


@pytest.mark.parametrize("operation", **named(ACTS))
def test_what_it_did_is_read_back(operation):
    assert "read_back" in operation.hooks


@pytest.mark.parametrize("operation", **named(ACTS))
def test_it_can_be_undone_or_a_reason_is_given_why_not(operation):
    assert ("inverse" in operation.hooks) is (operation.name not in WITHOUT_INVERSE)


def test_the_reasons_are_about_operations_that_exist():
    assert set(WITHOUT_INVERSE) <= {o.name for o in OPERATIONS}
    assert all(
        len(reason) > 20 for reason in (WITHOUT_INVERSE | BESIDE_THE_GATE | ON_ONES_OWN).values()
    )


@pytest.mark.parametrize("operation", **named([o for o in ACTS if o.effect is Effect.DANGEROUS]))
def test_who_approves_sees_what_would_be_done(operation):
    assert "preview" in operation.hooks


def test_reading_has_no_inverse():
    assert [o.name for o in OPERATIONS if o.effect is Effect.READ and "inverse" in o.hooks] == []


def test_an_inverse_names_an_operation_that_exists(trees):
    known = {o.name for o in OPERATIONS}
    named_ones = {
        keyword.value.value
        for _, tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == Inverse.__name__
        for keyword in node.keywords
        if keyword.arg == "operation" and isinstance(keyword.value, ast.Constant)
    }
    assert named_ones <= known


@pytest.mark.parametrize("operation", **named(OPERATIONS))
def test_policy_says_who_may_call_it(operation):
    from fnmatch import fnmatchcase

    rules = [
        rule
        for rule in RULES
        if fnmatchcase(operation.name, rule.pattern) or fnmatchcase(operation.scope, rule.pattern)
    ]
    assert rules
    if operation.effect is not Effect.READ and operation.name not in ON_ONES_OWN:
        assert Role.VIEWER not in rules[0].roles
        assert Role.APPROVER not in rules[0].roles or rules[0].roles == frozenset(Role)


HEAVY = (
    "alembic",
    "autogen_core",
    "chromadb",
    "dbos",
    "langgraph",
    "mcp",
    "mlflow",
    "numpy",
    "onnxruntime",
    "pandas",
    "sklearn",
    "sqlalchemy",
    "torch",
    "transformers",
)


def test_declaring_all_operations_imports_nothing_heavy():
    code = (
        "import sys, tools.catalog; tools.catalog.load_operations();"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_no_module_of_a_domain_prints(trees):
    """What is said goes through receipts and events; a stray print would break MCP over stdio."""
    speaking = {"tools/kernel/child.py"}
    for path, tree in trees:
        if path.startswith(("tools/", "mcp_servers/", "agents/", "graphs/")):
            prints = [
                node.lineno
                for node in ast.walk(tree)
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
            ]
            assert (
                not prints
                or path in speaking
                or '__name__ == "__main__"' in (ROOT / path).read_text()
            ), (path, prints)
