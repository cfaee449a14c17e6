"""Support of the tests: fixtures in few words, stand-ins, files made by formula."""
