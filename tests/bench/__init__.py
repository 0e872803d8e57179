"""A benchmark of sign-ins: `make bench`, or `python -m tests.bench --help`.

The bridge is a real `passerelle serve` with a temporary database. CAS is the scripted one, in a process whose CPU time
is not counted. The client and its browsers run in the measuring process. All traffic stays on loopback.

`journey` is one sign-in step by step, `load` runs many, `process_tree` measures processes, `servers` starts and stops
them, `report` writes the table and the JSON file.
"""
