# Stands in for the official Traefik image: the released binary behind the same way of being called.
ARG BASE
FROM ${BASE}
COPY traefik /usr/local/bin/traefik
COPY traefik-entrypoint.sh /entrypoint.sh
EXPOSE 80
ENTRYPOINT ["/entrypoint.sh"]
CMD ["traefik"]
