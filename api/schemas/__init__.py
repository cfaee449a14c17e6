"""What is sent and what is answered: one module a resource, named as in routes/."""
