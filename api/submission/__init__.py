"""How a request becomes rows: a spreadsheet or one prompt, checked whole, stored whole or not at all."""
