"""One policy, many bodies: a shared trunk, tokenizers per body, swappable readouts."""
