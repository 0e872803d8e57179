"""The service that stops labs that are idle or exceed their maximum age."""
