"""Privacy rows: orders to erase, legal holds, retention."""
