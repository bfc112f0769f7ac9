"""Who signs: keys in files, in hardware modules and clouds, and GnuPG's."""
