"""Pages of the hub: templates, announcement and terms of use."""
