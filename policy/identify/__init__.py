"""Whose picture is this? Any picture from anywhere: the manifest, the mark, and a search by what it looks like."""
