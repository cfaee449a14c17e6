"""Gpu process: one batch from claim to settlement.

executor   claim, sample, finish, settle
leases     renews the lease while the batch is worked on
backgrounds  products cut out, and put on new grounds
sources    the inputs that a batch is made from
key_service  signatures of a key that another process has
finish     screen, mark, encode, sign, read back, put
drawings   pixels without marks, kept for later files
stamps     what the public marks of a picture say
writing    the writing on a locked product, before and after its marks
regeneration  samples a picture again that came out wrong
progress   settles what is finished while the batch goes on
standing   whether this worker takes batches now, and why not
presence   its heartbeat, and the end of its pauses
refused    batches whose recipe this worker cannot make
unsettled  what becomes of a claim that ends with an error
"""
