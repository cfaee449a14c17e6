"""Review rows: what a person decides about a held picture, and its carrying out."""
