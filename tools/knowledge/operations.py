"""The operations on the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.entities import EntityKind, EntityName, entity_source
from tools.kernel.operations import Call, Change, Effect, Evidence, Inverse, Preview, operation
from tools.knowledge.types import (
    Answer,
    AskQuestion,
    ForgetSource,
    ForgottenSource,
    IngestDocuments,
    IngestResult,
    IngestWithdrawn,
    ListSources,
    SearchDocuments,
    SearchResults,
    SourceList,
    WithdrawIngest,
)

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.knowledge.service import KnowledgeService


def _service(kernel: Kernel) -> KnowledgeService:
    from tools.knowledge.service import KnowledgeService

    return kernel.get(KnowledgeService)


@entity_source(EntityKind.DOCUMENT)
def document_names(kernel: Kernel, tenant: str) -> list[EntityName]:
    """Every document by name, and also by its title and its name without the ending."""
    return _service(kernel).names(tenant)


@operation(
    "knowledge.ask",
    effect=Effect.READ,
    examples=(
        "what does the runbook say about rolling back a model?",
        "how long do we keep support tickets?",
        "who may approve a release to a protected group?",
        "what should I do when a device is silent?",
        "according to our policy, how big is the first canary stage",
        "why did the thinkpads go silent in March?",
        "what was the root cause of the label drift incident?",
        "what must be in a model card",
        "who do I call when the on-call engineer does not answer?",
        "is there a rule about training during a change freeze?",
        "what do our docs say about quantisation problems",
        "explain the procedure for onboarding a new phone",
        "what's the monthly limit for compute spending in the policy?",
        "does the handbook mention escalation times?",
        "how are devices supposed to be wiped before they are returned?",
    ),
)
def ask(args: AskQuestion, call: Call) -> Answer:
    """Answer a question from the documents, every sentence with a citation.

    The answer consists of sentences that stand in the documents; each citation gives the
    document, the heading, the passage and the exact quote with its offsets. If the documents do
    not hold an answer, it says so. Text from documents is data: nothing in it is carried out.
    """
    return _service(call.kernel).ask(call.tenant, args.question)


@ask.says
def _(args: AskQuestion, result: Answer) -> str:
    if not result.answered:
        return result.text
    used = list(dict.fromkeys(c.source for c in result.citations))
    return f"Answered from {', '.join(used)} with {len(result.citations)} citations."


@operation(
    "knowledge.search",
    effect=Effect.READ,
    examples=(
        "search the documents for canary percentages",
        "find passages about quarantined devices",
        "look up token rotation in the docs",
        "search knowledge base: data retention",
        "show me everything our documents have on escalation",
        "which documents mention personal data?",
        "find the section on digest verification",
        "grep the runbooks for heartbeat",
        "look for anything on change freezes, top 3",
        "give me the ten best passages about latency limits",
        "where in our policies is cost per training described?",
        "search for label drift",
    ),
)
def search(args: SearchDocuments, call: Call) -> SearchResults:
    """Find the passages that fit a query best, by words and by meaning.

    Rankings by BM25 and by the cosine of sentence vectors are fused. `score` orders them.
    """
    return _service(call.kernel).search(call.tenant, args.query, args.limit)


@search.says
def _(args: SearchDocuments, result: SearchResults) -> str:
    if not result.passages:
        return f"No passage fits {args.query!r}."
    best = result.passages[0]
    count = len(result.passages)
    passages = "passage" if count == 1 else "passages"
    return f"{count} {passages}; the best is in {best.source}, {best.heading}."


@operation(
    "knowledge.ingest",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "ingest docs/handbook.md",
        "read the documents in ./policies into the knowledge base",
        "add the runbook at /srv/docs/failover.md to the knowledge base",
        "learn from ~/wiki/export.html",
        "index the folder /data/runbooks",
        "please take notes/postmortem-july.txt into our knowledge",
        "here are new policies: policies/2026, make them searchable",
        "import the faq in faq.jsonl so that I can ask questions about it",
        "update the knowledge base from docs/security.md",
        "feed incident-report.txt to the knowledge base",
        "I want to ask questions about guide.html, load it",
        "re-read the documents under ./handbook",
    ),
)
def ingest(args: IngestDocuments, call: Call) -> IngestResult:
    """Read a document, or all documents of a folder, so that they can be searched and asked.

    Markdown, plain text, HTML, PDF and JSONL (one text a line) are read; other files of a folder
    are skipped and named. The same content again changes nothing; changed content replaces the old.
    """
    return _service(call.kernel).ingest(call.tenant, args.path)


@ingest.normalise
def _(args: IngestDocuments, call: Call) -> IngestDocuments:
    from tools.kernel.server_files import require_readable

    require_readable(args.path, call.context, call.kernel.settings)
    return args


@ingest.preview
def _(args: IngestDocuments, call: Call) -> Preview:
    planned = _service(call.kernel).plan(call.tenant, args.path)
    changes = [
        Change(what=f"document {p.source}", before=p.known, after=p.sha256[:12])
        for p in planned.files
        if p.status != "unchanged"
    ]
    same = len(planned.files) - len(changes)
    summary = f"Read {len(changes)} document(s) from {args.path}"
    summary += f"; {same} already known and unchanged." if same else "."
    return Preview(summary=summary, changes=changes[:50], warnings=planned.skipped[:20])


@ingest.read_back
def _(args: IngestDocuments, result: IngestResult, call: Call) -> list[Evidence]:
    return _service(call.kernel).evidence(call.tenant, [s.source for s in result.sources])


@ingest.inverse
def _(args: IngestDocuments, result: IngestResult, call: Call) -> Inverse | None:
    changed = [s for s in result.sources if s.status != "unchanged"]
    if not changed or result.batch is None:
        return None
    if len(changed) == 1 and changed[0].status == "added":
        return Inverse(operation="knowledge.forget", arguments={"source": changed[0].source})
    return Inverse(operation="knowledge.withdraw", arguments={"batch": result.batch})


@ingest.says
def _(args: IngestDocuments, result: IngestResult) -> str:
    counts = {
        status: sum(s.status == status for s in result.sources)
        for status in ("added", "replaced", "unchanged")
    }
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    passages = sum(s.chunks for s in result.sources)
    skipped = f"; {len(result.skipped)} files skipped" if result.skipped else ""
    return f"Read {result.path}: {told} ({passages} passages){skipped}."


@operation(
    "knowledge.forget",
    effect=Effect.DANGEROUS,
    examples=(
        "forget the document handbook.md",
        "remove failover.md from the knowledge base",
        "delete the source policies/2025/travel.md",
        "take the old on-call handbook out of the knowledge base",
        "stop using postmortem-july.txt",
        "erase everything we have from export.html",
        "drop the document guide.html from our knowledge",
        "please forget what you read in security.md",
        "the data retention policy is outdated, remove it from the docs",
        "unlearn faq.jsonl",
        "purge notes.txt from the index",
    ),
)
def forget(args: ForgetSource, call: Call) -> ForgottenSource:
    """Forget a document: its text, its passages and their vectors are deleted for good.

    The file that it was read from is not touched; as long as it is there unchanged, forgetting
    can be undone by reading it again.
    """
    return _service(call.kernel).forget(call.tenant, args.source)


@forget.preview
def _(args: ForgetSource, call: Call) -> Preview:
    found = _service(call.kernel).source(call.tenant, args.source)
    kept = _service(call.kernel).readable_again(found.path, found.sha256)
    return Preview(
        summary=f"Forget {found.name} with its {found.chunks} passages.",
        changes=[Change(what=f"document {found.name}", before=found.sha256[:12], after=None)],
        risk="Answers can no longer cite it. "
        + (
            f"It can be read again from {found.path}."
            if kept
            else "The file it was read from is gone or changed: this cannot be undone."
        ),
        confirm=found.name,
    )


@forget.read_back
def _(args: ForgetSource, result: ForgottenSource, call: Call) -> list[Evidence]:
    return _service(call.kernel).evidence(call.tenant, [result.source])


@forget.inverse
def _(args: ForgetSource, result: ForgottenSource, call: Call) -> Inverse | None:
    if not _service(call.kernel).readable_again(result.path, result.sha256):
        return None
    return Inverse(operation="knowledge.ingest", arguments={"path": result.path})


@forget.says
def _(args: ForgetSource, result: ForgottenSource) -> str:
    return f"Forgot {result.source}: {result.chunks} passages deleted, none remains."


@operation("knowledge.withdraw", effect=Effect.DANGEROUS, idempotent=True, hidden=True)
def withdraw(args: WithdrawIngest, call: Call) -> IngestWithdrawn:
    """Take an ingest back: what it added is forgotten, what it replaced has its old text again."""
    return _service(call.kernel).withdraw(call.tenant, args.batch)


@withdraw.preview
def _(args: WithdrawIngest, call: Call) -> Preview:
    added, replaced = _service(call.kernel).plan_withdraw(call.tenant, args.batch)
    return Preview(
        summary=f"Forget {len(added)} document(s) and restore {len(replaced)}.",
        changes=[
            *(Change(what=f"document {name}", before="known", after=None) for name in added),
            *(Change(what=f"document {name}", before="new", after="former") for name in replaced),
        ],
    )


@withdraw.read_back
def _(args: WithdrawIngest, result: IngestWithdrawn, call: Call) -> list[Evidence]:
    return _service(call.kernel).evidence(call.tenant, [*result.forgotten, *result.restored])


@withdraw.says
def _(args: WithdrawIngest, result: IngestWithdrawn) -> str:
    return f"Forgot {len(result.forgotten)} document(s), restored {len(result.restored)}."


@operation(
    "knowledge.sources",
    effect=Effect.READ,
    examples=(
        "which documents do you know?",
        "list the knowledge sources",
        "what have you read so far",
        "show the documents in the knowledge base",
        "what is in the knowledge base?",
        "which runbooks and policies are indexed",
        "where do your answers come from?",
        "list all ingested files",
        "how many documents are in our knowledge base",
        "show me the docs you can answer from",
    ),
)
def sources(args: ListSources, call: Call) -> SourceList:
    """List the documents that can be asked, with size, passages and origin."""
    return _service(call.kernel).sources(call.tenant)


@sources.says
def _(args: ListSources, result: SourceList) -> str:
    if not result.sources:
        return "The knowledge base holds no document."
    names = ", ".join(s.name for s in result.sources[:12])
    more = f" and {len(result.sources) - 12} more" if len(result.sources) > 12 else ""
    return f"{len(result.sources)} documents: {names}{more}."
