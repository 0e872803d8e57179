"""The hub's own pages: templates, translations, announcements and terms of use."""
