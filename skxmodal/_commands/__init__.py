"""The commands of the command line, one file each: ``add_to(commands)`` adds it."""
