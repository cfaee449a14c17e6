"""Image screening: classifiers, and the rules over their scores. Heavy: for worker processes.

screen        asks every classifier about a batch and gives the verdicts; fails closed
classifier    the Protocol of a classifier
stack         loads the classifiers that a rule set needs
fenced        a classifier behind a time limit and a check of its answer
blank         pictures of one colour
nsfw          the networks of nsfwjs; convert_nsfw and conversion/ made the files in weights/
networks      image classification models and safety checkers in the layout of transformers
hash_list     lists of forbidden pictures, by perceptual hash
texts         writing on pictures, screened by the prompt rules
ocr           RapidOCR as the reader of that writing
thresholds    the rules over stored scores; needs no picture
"""
