"""`presswork policy`: rule sets, and what they say of a prompt or a picture."""
