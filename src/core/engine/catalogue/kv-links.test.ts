import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findGpu } from './find-gpu.ts';
import { kvLink } from './kv-links.ts';

const gpu = findGpu('H100');
const rdma = { latencySeconds: 0.7e-3 };

test('a link is named, or given by its rate in GB/s', () => {
  const near = (link: string | number, gigabytes: number, latencySeconds: number) => {
    const found = kvLink(link, gpu);
    assert.ok(Math.abs(found.bytesPerSecond / 1e9 / gigabytes - 1) < 1e-3, `${link}`);
    assert.equal(found.latencySeconds, latencySeconds);
  };
  near('rdma-400g', 43.5, 0.7e-3);
  near('rdma-200g', 21.75, 0.7e-3);
  near('rdma-100g', 10.875, 0.7e-3);
  // Measured 2.4 times slower than RDMA on the same wires.
  near('tcp-100g', 10.875 / 2.4, 1e-3);
  near('tcp-25g', (25 / 8) * (1448 / 1538), 1e-3);
  near('tcp-10g', (10 / 8) * (1448 / 1538), 1e-3);
  assert.deepEqual(kvLink(12.5, gpu), { ...rdma, bytesPerSecond: 12.5e9 });
  assert.deepEqual(kvLink('0.5', gpu), { ...rdma, bytesPerSecond: 0.5e9 });
});

test('nvlink is the GPU’s own link, if it has one', () => {
  const { link, efficiency } = gpu;
  const bytesPerSecond = link.bytesPerSecond * efficiency.link;
  assert.deepEqual(kvLink('nvlink', gpu), { ...rdma, bytesPerSecond });
  assert.throws(() => kvLink('nvlink', findGpu('L40')), /The GPU L40 has no NVLink/);
});

test('refuses any other link and lists the known ones', () => {
  for (const link of ['', '0', '-1', 0, 'ib', Number.NaN]) {
    assert.throws(
      () => kvLink(link, gpu),
      /No link for KV cache is called .* one of nvlink, rdma-400g,/,
    );
  }
});
