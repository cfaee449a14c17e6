"""`presswork audit`: verify the ledger, read it, prove what it says."""
