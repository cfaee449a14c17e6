"""What surrounds every request: who calls, what a body may be, how an error is answered."""
