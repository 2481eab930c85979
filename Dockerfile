# The image of the router, of embedded engines and of the gate: "spillway" with one bundle, no sources, no shell scripts.
#
#   docker build -t spillway:0.1.0 .
#
# Node's image by digest, so that a build means the same tomorrow: --build-arg NODE=node@sha256:…
ARG NODE=node:24.21.0-bookworm-slim

FROM ${NODE} AS build
WORKDIR /source
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN node scripts/build.ts --out dist \
  && npm ci --omit=dev --ignore-scripts \
  && mkdir -p /app \
  && cp -r bin dist node_modules package.json LICENSE NOTICE /app/ \
  && find /app/dist -name '*.map' -delete

FROM ${NODE}
LABEL org.opencontainers.image.title="spillway" \
  org.opencontainers.image.description="The vLLM production stack as one program" \
  org.opencontainers.image.licenses="Apache-2.0"
# npm and yarn are not needed to run.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* \
  && ln -s /app/bin/spillway.mjs /usr/local/bin/spillway
COPY --from=build /app /app
ENV NODE_ENV=production
WORKDIR /tmp
USER 65532:65532
EXPOSE 8000
ENTRYPOINT ["spillway"]
CMD ["--help"]
