"""Rollouts: signed bundles, durable progressive delivery to device groups, rollback, A/B tests."""
