"""Marks of released pictures: watermark, C2PA manifest and XMP label, written and read back.

marker           marks a screened picture and reads every mark back from the final bytes
watermark        the invisible watermark (dwtDctSvd), in numpy
watermark_cells  the arithmetic of its cells
pure_ground      white and black grounds that have to stay so
watermark_torch  the same for a batch on a device
writers          chooses between the two
payload          the error-correcting code of the watermark's id
nearest          informed reads: which known id is nearest to the bits
reference        the decoder of invisible-watermark, as a second reader
renditions       the files that can be requested by name
cutouts/         products on transparent ground
locks/           products that have to leave as they came, measured in each file
channels/        further files, by size and place, with a visible label
encode           pixels to PNG, JPEG, WebP, AVIF and back
pixel_check      difference between the final pixels and the screened ones
xmp              the XMP label
stamp            the public facts that go into the marks
provenance/      the signed C2PA manifest
inspect          reads the marks of any file
"""
