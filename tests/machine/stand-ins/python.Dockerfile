# Stands in for the official python:*-slim image: Python and pip in /usr/local, packages in
# /usr/local/lib/python3.*/site-packages. A virtual environment laid over /usr/local gives just that.
ARG BASE
FROM ${BASE}
RUN python3 -m venv /usr/local
CMD ["python3"]
