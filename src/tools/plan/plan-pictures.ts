// Pictures of a plan, as SVG that stands alone.
import { gigabytes } from './figures.ts';
import type { Estimate, Plan } from './plan.ts';

const width = 240;
const height = 130;
const colours = { chosen: '#0f766e', other: '#94a3b8', text: '#374151' };

export interface BarOptions {
  readonly title: string;
  readonly bars: readonly {
    readonly name: string;
    readonly estimate: Estimate;
    readonly isChosen: boolean;
  }[];
  readonly text: (value: number) => string;
}

/** A bar for each layout, with the interval as a whisker. */
export function barPicture({ title, bars, text }: BarOptions): string {
  const most = Math.max(...bars.map(({ estimate }) => estimate.high), Number.MIN_VALUE);
  const plot = { top: 34, bottom: height - 18 };
  const slot = width / bars.length;
  const y = (value: number) => plot.bottom - (value / most) * (plot.bottom - plot.top);
  const marks = bars.flatMap(({ name, estimate, isChosen }, index) => {
    const x = index * slot + slot * 0.22;
    const centre = index * slot + slot / 2;
    const top = y(estimate.mean);
    return [
      `<rect x="${round(x)}" y="${round(top)}" width="${round(slot * 0.56)}" height="${round(plot.bottom - top)}" fill="${isChosen ? colours.chosen : colours.other}"/>`,
      `<line x1="${round(centre)}" x2="${round(centre)}" y1="${round(y(estimate.low))}" y2="${round(y(estimate.high))}" stroke="#111827"/>`,
      `<text x="${round(centre)}" y="${round(y(estimate.high) - 4)}" text-anchor="middle">${text(estimate.mean)}</text>`,
      `<text x="${round(centre)}" y="${height - 5}" text-anchor="middle">${name}</text>`,
    ];
  });
  return picture([`<text x="4" y="12" font-weight="600">${title}</text>`, ...marks]);
}

/** Where the memory of one GPU goes. */
export function memoryPicture({ layout }: Plan): string {
  const title = `<text x="4" y="12" font-weight="600">Memory of one ${layout.gpu.name}</text>`;
  const { memory } = layout;
  if (memory === undefined) {
    return picture([
      title,
      '<text x="4" y="40">The KV cache of a CPU is a size that is given.</text>',
    ]);
  }
  const parts = [
    { name: 'weights', bytes: memory.weightBytes, fill: '#334155' },
    {
      name: 'activations, CUDA',
      bytes: memory.activationBytes + memory.logitsBytes + memory.fixedBytes,
      fill: '#94a3b8',
    },
    { name: 'KV cache', bytes: memory.kvCacheBytes, fill: colours.chosen },
    { name: 'headroom', bytes: memory.headroomBytes, fill: '#e5e7eb' },
  ];
  const total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  let x = 4;
  const marks = parts.flatMap(({ name, bytes, fill }, index) => {
    const share = (bytes / total) * (width - 8);
    const rect = `<rect x="${round(x)}" y="24" width="${round(share)}" height="22" fill="${fill}"/>`;
    x += share;
    const line = 62 + index * 17;
    return [
      rect,
      `<rect x="4" y="${line - 8}" width="9" height="9" fill="${fill}"/>`,
      `<text x="18" y="${line}">${name}: ${gigabytes(bytes)}</text>`,
    ];
  });
  return picture([title, ...marks]);
}

function picture(marks: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="10" fill="${colours.text}">`,
    ...marks,
    '</svg>',
  ].join('');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
