# The load generator and latency_profile on the member's image, whose libraries they share. Built by tools/dev/load_image.sh, whose
# context holds the stripped executables.
ARG BASE_IMAGE=whitewater:1
FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="whitewater-load" \
      org.opencontainers.image.description="Load generator and checker for Whitewater and etcd"
COPY whitewater-load latency_profile /usr/bin/
USER 10001:10001
ENTRYPOINT ["whitewater-load"]
CMD ["--help"]
