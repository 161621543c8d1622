"""FreePBX, simulated."""
