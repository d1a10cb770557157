# The load generator: one executable more on the member's image, whose libraries it shares. Built by tools/dev/load_image.sh, whose
# context holds the stripped executable.
ARG BASE_IMAGE=whitewater:1
FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="whitewater-load" \
      org.opencontainers.image.description="Load generator and checker for Whitewater and etcd"
COPY whitewater-load /usr/bin/whitewater-load
USER 10001:10001
ENTRYPOINT ["whitewater-load"]
CMD ["--help"]
