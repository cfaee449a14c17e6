"""The planner process: what is sampled next, and what is sent again."""
