"""Reports on calls: what is counted of a call, hours, days in a time zone, groups, files. Pure."""
