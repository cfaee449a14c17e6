"""Outside contracts: other implementations read what we write."""
