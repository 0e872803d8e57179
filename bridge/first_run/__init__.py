"""The files that `passerelle init` creates.

`answers` builds the text of the settings file. `setup` writes the files and never overwrites one. The settings file
comes last, so that an interrupted run can be repeated. The package knows nothing of terminals and HTTP.
"""
