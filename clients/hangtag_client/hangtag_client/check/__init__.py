"""`hangtag check-provider`: tells the maker of a PBX bridge what in it does not fit the telephony API.

`judge` is pure: what was heard goes in, findings come out. `listener` and `bridge` are the two ends of the wire,
`run` leads through the check.
"""
