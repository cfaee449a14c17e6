"""What several commands share: options, opening the ledger, instants, tables on a terminal."""
