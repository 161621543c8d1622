"""Tags: emission, party snapshots, placement, missed calls and notifications."""
