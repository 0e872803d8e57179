"""What a sign-in costs the bridge, measured from outside: `make bench`, or `python -m tests.bench --help`.

Owns the load, the meters and the report. The bridge is the real `passerelle serve` with a database of its own in a
temporary folder; CAS is the scripted one, in another process whose CPU is not counted; the application and its
browsers live in the measuring process. Never leaves loopback, never imports the bridge, stops by itself.

`journey` is one sign-in step by step, `load` many of them, `process_tree` the meters, `servers` what is started
and stopped, `report` the table and the JSON file.
"""
