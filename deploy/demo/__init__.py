"""Demo: the sample campaign, and its contact sheet.

gallery        the items of a request with their images, through the API
contact_sheet  one HTML page and one PNG that show them all
"""
