"""Reference scores of nsfwjs, and the program that made them."""
