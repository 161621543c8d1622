"""`hangtag check-provider`: a check for makers of a PBX bridge to the telephony API.

`flows` is pure: it turns received requests into findings. `listener` receives what the bridge posts, `bridge` sends
commands to it, `run` performs the steps of the check.
"""
