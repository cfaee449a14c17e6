"""Demo: the sample campaign, and what is made of its pictures.

gallery        the finished items with their pictures, through the API
contact_sheet  one page and one picture that show them all
"""
