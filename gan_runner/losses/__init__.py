"""What players minimise: pure functions of logits, of the critic's gradient, and of pairs."""
