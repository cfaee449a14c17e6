"""The sample campaign and what the demo makes of its pictures.

campaign.csv    the rows
gallery         the finished items with their pictures, fetched through the API
contact_sheet   one page and one picture that show them all
"""
