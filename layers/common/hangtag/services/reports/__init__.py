"""Reports: hourly sums, report files and visibility."""
