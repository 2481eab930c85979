// Completes the list of npm's packages (CycloneDX, on stdin) with Node and the libraries in its binary, for the image.
//
//   npm sbom --omit=dev --sbom-format=cyclonedx | node scripts/image-sbom.ts > sbom.cdx.json
import { text } from 'node:stream/consumers';

interface Bom {
  readonly components: readonly object[];
}

/** Names in `process.versions` that are libraries; the others are versions of interfaces. */
const libraries = ['v8', 'uv', 'zlib', 'ares', 'nghttp2', 'openssl', 'llhttp', 'undici', 'sqlite'];

const bom = JSON.parse(await text(process.stdin)) as Bom;
const { versions } = process;
const node = {
  ...{ 'bom-ref': `node@${versions.node}`, type: 'application', name: 'node' },
  ...{ version: versions.node, purl: `pkg:generic/node@${versions.node}` },
  components: libraries.flatMap((name) => {
    const version = versions[name];
    if (version === undefined) return [];
    return [{ 'bom-ref': `node/${name}@${version}`, type: 'library', name, version }];
  }),
};
const complete = { ...bom, components: [...bom.components, node] };
process.stdout.write(`${JSON.stringify(complete, null, 2)}\n`);
