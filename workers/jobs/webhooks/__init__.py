"""Webhook rows: endpoints, and the deliveries to them."""
