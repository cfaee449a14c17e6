"""Intake of pictures from outside. Light: Pillow runs in the child process only, so any process may import this.

picture     opens a picture safely: checks the header, then asks a limited child process
headers     size and format from the file's header, without decoding
containers  the same for the formats that copies arrive in and that we never write
child       the program that decodes one picture in that process
"""
