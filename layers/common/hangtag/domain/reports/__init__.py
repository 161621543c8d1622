"""Reports on calls: what is counted, hours, days in a time zone, groups, files. Pure."""
