"""Eighteen synthesised instruments: their class table, their sounds and their pictures."""
