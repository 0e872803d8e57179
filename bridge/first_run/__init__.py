"""The first run: what `passerelle init` decides and makes.

`answers` turns a few answers into the text of a settings file, without touching anything. `setup` makes the files,
once: it overwrites nothing, and the settings file comes last, so that an interrupted run can simply be repeated.
Knows nothing of terminals and HTTP.
"""
