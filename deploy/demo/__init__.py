"""Demo: the sample campaign with its contact sheet, and a sample catalogue.

gallery        the items of a request with their images, through the API
contact_sheet  one HTML page and one PNG that show them all
goods/         a catalogue of 40 goods, with photos that are drawn
"""
