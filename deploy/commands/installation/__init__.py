"""Commands about a whole installation.

backup     presswork backup, restore
doctor     presswork doctor
migrate    presswork migrate
provision  presswork provision
"""
