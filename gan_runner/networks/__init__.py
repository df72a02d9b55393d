"""Networks: plain modules that know their shapes and nothing of losses or training."""
