"""What a rule set file may hold, part by part: parts that all share, prompts, images, review."""
