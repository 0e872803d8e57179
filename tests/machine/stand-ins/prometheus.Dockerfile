# Stands in for the official Prometheus image: Debian's own version of it, behind the same way of being called.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends prometheus \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o 65534 -g 65534 /prometheus
USER 65534
EXPOSE 9090
ENTRYPOINT ["prometheus"]
