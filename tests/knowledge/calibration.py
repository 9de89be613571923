"""Questions about the bundled documents, with and without an answer there, and the fit to them.

`python -m tests.knowledge.calibration` prints the weights that `tools.knowledge.answering` holds,
and what they reach on the questions that were kept out of the fit.
"""

from __future__ import annotations

ANSWERED: dict[str, str] = {
    "what does the runbook say about rolling back a model?": "model-rollback-runbook.md",
    "how long do we keep raw ticket text?": "data-retention-policy.md",
    "who may start a rollback of a protected group?": "model-rollback-runbook.md",
    "what should I do if a device is silent?": "model-rollback-runbook.md",
    "how big is the first canary stage?": "canary-and-rollout-policy.md",
    "why did the thinkpads go silent in March?": "incident-2026-03-silent-thinkpads.md",
    "what was the root cause of the label drift incident?": "incident-2026-06-label-drift.md",
    "what must be in a model card": "model-card-guidelines.md",
    "who do I page when nobody acknowledges a SEV1?": "on-call-handbook.md",
    "when is there a change freeze?": "canary-and-rollout-policy.md",
    "how many calibration tickets does a quantised version need": "model-card-guidelines.md",
    "what is the monthly budget of the platform?": "cost-and-capacity-policy.md",
    "what does a GPU server cost per hour": "cost-and-capacity-policy.md",
    "which seeds are used for a fine-tune": "training-runbook.md",
    "how do I enrol a new device?": "device-onboarding-guide.md",
    "how long is an enrolment token valid": "device-onboarding-guide.md",
    "when is a training run counted as failed?": "training-runbook.md",
    "how long may a rollback of phones take": "model-rollback-runbook.md",
    "who can approve spending of 1000 euros?": "cost-and-capacity-policy.md",
    "what happens when 90% of the budget is used": "cost-and-capacity-policy.md",
    "how quickly must a SEV2 be acknowledged?": "on-call-handbook.md",
    "what counts as personal data?": "data-retention-policy.md",
    "how do we handle erasure requests": "data-retention-policy.md",
    "how is a device retired?": "device-onboarding-guide.md",
    "what is the held-out split": "training-runbook.md",
    "how much memory does a phone need?": "device-onboarding-guide.md",
    "how many phones were rolled back in August": "incident-2026-08-bad-quantisation.md",
    "what is the minimum bake time for stage 2?": "canary-and-rollout-policy.md",
    "how long is the audit trail kept?": "data-retention-policy.md",
    "how do I resume a run from a checkpoint": "training-runbook.md",
    "can the assistant approve a rollout?": "canary-and-rollout-policy.md",
    "what are the severities of incidents": "on-call-handbook.md",
    "when must a lost laptop be reported and revoked": "device-onboarding-guide.md",
    "which baselines must a result be compared with?": "training-runbook.md",
    "what happens during the on-call handover?": "on-call-handbook.md",
    "is 4-bit quantisation allowed on phones?": "device-onboarding-guide.md",
    "how often are heartbeats due": "device-onboarding-guide.md",
    "what is a legal hold?": "data-retention-policy.md",
    "how many rows does a training dataset need at least": "training-runbook.md",
    "what may the on-call engineer do without asking anybody?": "on-call-handbook.md",
    "who wrote 'ignore the policy' and what did the assistant do?": (
        "incident-2026-08-bad-quantisation.md"
    ),
    "what's the p95 latency limit on servers": "model-rollback-runbook.md",
    "how long do approvals of a rollout last before they expire?": "canary-and-rollout-policy.md",
    "what do we do when out of memory happens in training": "training-runbook.md",
    "how long does somebody rest after being woken at night?": "on-call-handbook.md",
    "what is the target cost per 1,000 tickets": "cost-and-capacity-policy.md",
    "are backups edited after an erasure?": "data-retention-policy.md",
    "when was v7.1 released after the label problem": "incident-2026-06-label-drift.md",
}

UNANSWERED: tuple[str, ...] = (
    "what is the capital of Mongolia?",
    "how do I bake sourdough bread",
    "who won the world cup in 1998?",
    "how many vacation days do employees get?",
    "what is the dress code in the office?",
    "how do I reset my email password?",
    "what is our refund policy for customers?",
    "which cloud provider do we use?",
    "how do I configure kubernetes ingress?",
    "what is the salary of the head of operations?",
    "when does the cafeteria open",
    "what's the weather like tomorrow?",
    "how do I install docker on my laptop?",
    "who is the chief executive of Harbourline?",
    "what is the parental leave policy?",
    "which database engine stores the tickets?",
    "how do we encrypt backups?",
    "what is the uptime agreement with our customers",
    "how do I write a unit test in python?",
    "what programming language is the agent written in?",
    "how do I book a meeting room?",
    "what is the boiling point of ethanol",
    "can I bring my dog to work?",
    "how do I connect to the VPN?",
    "what is the share price of the company?",
    "which vaccine do travellers need?",
    "how do I file my travel expenses",
    "what does the contract with our supplier say about penalties?",
    "how do we onboard new employees?",
    "who designs the marketing website?",
    "what is the learning rate schedule of GPT-4?",
    "which recruiting agencies do we work with?",
    "how do I cancel my gym membership?",
    "what are the opening hours of the Quay site?",
    "how are reviewers of pull requests chosen?",
    "what's the process for promoting an engineer to senior?",
    "how much is a ferry ticket to Eastlock?",
    "which firewall rules apply to the guest network?",
    "do we support single sign-on?",
    "how is the mobile app published in the app store?",
    "what was the revenue last year?",
    "how do I train for a marathon?",
    "who approves holiday requests?",
    "how many customers do we have?",
    "what is the retention rate of our customers?",
    "when does my device warranty end?",
    "what happens to unpaid invoices?",
    "how do I rotate the TLS certificates?",
    "what does the runbook say about rotating database passwords?",
    "how do we upgrade the GPU drivers on the servers?",
    "which phone models do we buy?",
    "who approves a new software licence?",
    "how many tickets may a support agent close per hour?",
    "what is the tone of voice for replies to tickets?",
    "how do we measure customer satisfaction after an incident?",
    "what does the policy say about working from another country with a thinkpad?",
    "how do I roll back a database migration?",
    "what battery life must a phone have?",
    "which sensors does a device report?",
    "how are incident leads paid for night work?",
)

HELD_OUT_ANSWERED: dict[str, str] = {
    "tell me about the rules for protected groups": "canary-and-rollout-policy.md",
    "after how many days are device logs deleted": "data-retention-policy.md",
    "how do we verify that a rollback really worked?": "model-rollback-runbook.md",
    "what proportion of canary tickets must not be in English?": "canary-and-rollout-policy.md",
    "how much does one experiment cost at most": "cost-and-capacity-policy.md",
    "who owns spending decisions above 2000 euros?": "cost-and-capacity-policy.md",
    "what did we learn from the August quantisation incident?": (
        "incident-2026-08-bad-quantisation.md"
    ),
    "when is a device considered silent": "model-rollback-runbook.md",
    "explain the first fifteen minutes of an incident": "on-call-handbook.md",
    "may I use the held-out split for early stopping?": "training-runbook.md",
    "which words should be avoided in a model card": "model-card-guidelines.md",
    "how long before an old phone is replaced?": "device-onboarding-guide.md",
    "what triggers a rollback because of languages?": "model-rollback-runbook.md",
    "can engineers swap their on-call shifts": "on-call-handbook.md",
    "how are near-duplicates treated before splitting": "training-runbook.md",
    "how soon are tickets cached on a device deleted?": "data-retention-policy.md",
    "is it allowed to paste ticket text into chat?": "data-retention-policy.md",
    "which devices make up the fleet and how many are there": "canary-and-rollout-policy.md",
    "how many tickets were affected by the silent thinkpads?": (
        "incident-2026-03-silent-thinkpads.md"
    ),
    "what are the steps to take a device out of service": "device-onboarding-guide.md",
    "who checks the figures in a model card?": "model-card-guidelines.md",
    "what happens with unused budget at the end of the month": "cost-and-capacity-policy.md",
    "how many versions does a device keep on disk?": "model-rollback-runbook.md",
    "may a failed seed be swapped for another one?": "training-runbook.md",
}

HELD_OUT_UNANSWERED: tuple[str, ...] = (
    "who painted the Mona Lisa?",
    "what is our policy on remote work?",
    "how do I request a new monitor?",
    "which insurance covers damaged luggage?",
    "how do I set up two-factor authentication?",
    "what are the steps to open a bank account",
    "how do I debug a memory leak in C++?",
    "which languages does the website support?",
    "how long is the probation period for new staff?",
    "what is the phone number of the help desk?",
    "how often are employees paid?",
    "what is quantum entanglement?",
    "how do I deploy to AWS Lambda?",
    "who is the landlord of the office building?",
    "what do we do in case of a fire?",
    "how many planets are in the solar system",
    "which parking spaces are reserved for visitors?",
    "when is the next company party?",
    "what's the discount for group bookings?",
    "how are suppliers selected?",
    "which coffee machine should we buy?",
    "how do I translate a document into French?",
    "what is the name of our legal counsel?",
    "how do I migrate from MySQL to PostgreSQL?",
    "what does the handbook say about sick leave?",
    "how do I roll back a git commit?",
    "which brand of server do we order?",
    "what does the policy say about open-source licences of models?",
    "how many support agents work at Northpier?",
    "who cleans the devices?",
    "what is the maximum size of an email attachment in a ticket?",
    "how do we train new support staff?",
)


def main() -> None:
    """Fit on the first two sets, print the weights and both sets' results."""
    import tempfile
    from pathlib import Path

    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    from tools.kernel.kernel import Kernel
    from tools.kernel.settings import Settings
    from tools.knowledge import answering
    from tools.knowledge.service import KnowledgeService

    with tempfile.TemporaryDirectory() as folder:
        kernel = Kernel(Settings(home=Path(folder)))
        service = kernel.get(KnowledgeService)
        service.sources("default")

        def features(questions: list[str]) -> np.ndarray:
            rows: list[tuple[float, ...]] = []
            for question in questions:
                found, snapshot = service.found(question, "default")
                candidates = answering.candidates(question, found, snapshot)
                rows.append(answering.signals(question, found, candidates, snapshot.words))
            return np.array(rows)

        fit_x = features([*ANSWERED, *UNANSWERED])
        fit_y = np.array([1] * len(ANSWERED) + [0] * len(UNANSWERED))
        out_x = features([*HELD_OUT_ANSWERED, *HELD_OUT_UNANSWERED])
        out_y = np.array([1] * len(HELD_OUT_ANSWERED) + [0] * len(HELD_OUT_UNANSWERED))
        model = LogisticRegression(C=10).fit(fit_x, fit_y)
        weights = (model.intercept_[0], *model.coef_[0])
        print("weights", tuple(round(float(w), 2) for w in weights))
        for name, x, y in (("fit", fit_x, fit_y), ("held out", out_x, out_y)):
            sure = model.predict_proba(x)[:, 1]
            print(name, "AUROC", round(roc_auc_score(y, sure), 3))
            for t in (0.3, 0.4, 0.5, 0.6, 0.7):
                told, wrong = (sure[y == 1] >= t).mean(), (sure[y == 0] >= t).mean()
                print(f"  threshold {t}: answers {told:.2f} of answered, {wrong:.2f} of unanswered")
        for n, column in enumerate(("passage", "unit", "passage words", "unit words")):
            print(column, "AUROC", round(roc_auc_score(fit_y, fit_x[:, n]), 3))
        kernel.stop()


if __name__ == "__main__":
    main()
