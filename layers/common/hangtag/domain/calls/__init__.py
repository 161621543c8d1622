"""The domain: call events (`event`), their fold into one call (`fold`), and which tag it deserves (`classify`).

Pure: no AWS, no HTTP. The webhook needs events only, so nothing is imported here.
"""
