# The image of the router, of embedded engines, of the operator and of the gate: "spillway" with Node, no shell, no npm.
#
#   docker build -t spillway:0.1.0 .         (or podman, or "buildah build")
#   scripts/image.sh -t spillway:0.1.0       the same without Docker and without a registry for the two bases
#
# Both bases by digest, so that a build means the same tomorrow: --build-arg NODE=node@sha256:… --build-arg BASE=…

# Node, npm and a shell, to build.
ARG NODE=docker.io/library/node:24.21.0-bookworm-slim
# The C and C++ libraries that Node needs, to run; the same as those of NODE, or newer.
ARG BASE=gcr.io/distroless/cc-debian12:nonroot

FROM ${NODE} AS build
WORKDIR /spillway
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN node scripts/build.ts --out dist \
  && npm prune --omit=dev --ignore-scripts \
  && npm sbom --omit=dev --package-lock-only --sbom-format=cyclonedx | node scripts/image-sbom.ts > sbom.cdx.json \
  && find dist node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -exec rm {} + \
  && mkdir -p /image/app /image/usr/local/bin \
  && cp -r bin dist node_modules package.json LICENSE NOTICE sbom.cdx.json /image/app/ \
  && sed -i '1s|.*|#!/usr/local/bin/node|' /image/app/bin/spillway.mjs \
  && cp /usr/local/bin/node /image/usr/local/bin/ \
  && ln -s /app/bin/spillway.mjs /image/usr/local/bin/spillway

FROM ${BASE}
LABEL org.opencontainers.image.title="spillway" \
  org.opencontainers.image.description="The vLLM production stack as one program" \
  org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
ENV NODE_ENV=production PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /tmp
USER 65532:65532
EXPOSE 8000
ENTRYPOINT ["/usr/local/bin/spillway"]
CMD ["--help"]
