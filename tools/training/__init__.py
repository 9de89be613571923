"""Training: fine-tuning text classifiers in durable jobs, tuning, tracking and export."""
