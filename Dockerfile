# syntax=docker/dockerfile:1

# Builds with the compilers, runs without them.
FROM node:20.20-bookworm-slim AS build
# Debian keeps one version of a package in a release and mends it in place: a pinned version would soon be gone.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends g++ make python3 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
COPY ingest ingest
COPY index index
COPY api api
COPY fixtures/models/nano/weights fixtures/models/nano/weights
RUN npm run build && npm prune --omit=dev

FROM node:20.20-bookworm-slim
# A native ffmpeg is about twice as fast as the WebAssembly one; tini hands signals on, so that a stop is a graceful one.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends ffmpeg tini \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production \
    LONGWATCH_LIBRARY=/library \
    LONGWATCH_ROOTS=/videos \
    LONGWATCH_HOST=0.0.0.0
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY LICENSE README.md ./
RUN ln -s /app/dist/src/cli/main.js /usr/local/bin/longwatch \
  && install -d -o 1000 -g 1000 /library /videos
# The user `node` of the base image.
USER 1000:1000
VOLUME ["/library"]
EXPOSE 7333
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:7333/live').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--", "longwatch"]
# LONGWATCH_TOKEN must be set: the server refuses to listen beyond this machine without one.
CMD ["serve"]
