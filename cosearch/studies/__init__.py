"""A study: what its YAML says, its log, its trials, and the run that ties strategy, evaluator and log together."""
