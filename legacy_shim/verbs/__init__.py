"""What each verb does, a module per group. Which function belongs to which verb: legacy_shim/table.py."""
