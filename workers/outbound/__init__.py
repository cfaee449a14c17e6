"""Calls to addresses that tenants choose: public_addresses (the table of ranges), urls (checks), post (the call)."""
