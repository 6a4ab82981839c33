# The program of the sources beside this file, without what building it needed (docs/install.md).
#
#   docker build -t headstart .
#   docker run --rm -v "$PWD:/work" -v headstart-cache:/cache headstart train photos
FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends make
WORKDIR /src
COPY . .
RUN make deb

# pip fetches the default backbone.
FROM debian:12-slim
COPY --from=build /src/build-deb/ /tmp/deb/
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3-pip \
        /tmp/deb/headstart_*.deb /tmp/deb/libheadstart0_*.deb \
    && rm -rf /var/lib/apt/lists/* /tmp/deb \
    && useradd --create-home --uid 1000 headstart \
    && install -d -m 1777 /cache /work
ENV HEADSTART_CACHE=/cache
VOLUME /cache
WORKDIR /work
USER headstart
ENTRYPOINT ["headstart"]
CMD ["--help"]
