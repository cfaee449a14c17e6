"""The identify process: answers whose picture this is, and keeps the index of what was released."""
