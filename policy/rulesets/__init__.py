"""Rule sets that ship, one YAML file each; `policy.rules` reads them and docs/policy.md explains them."""
