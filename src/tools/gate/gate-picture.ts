// The window as an SVG: highest use of each engine over time, and the limit.
import type { EngineVerdict } from '../../core/gate/index.ts';
import type { GateRun } from './run-gate.ts';

const size = { width: 720, height: 260, left: 44, right: 12, top: 28, bottom: 28 };
/** Of a failing, a passing and an unjudged engine: apart for colour-blind readers too. */
const colours = { fail: '#c2410c', pass: '#0f766e', unknown: '#6b7280' } as const;

/** A picture that stands alone: no script, no font, no link. */
export function gatePicture(run: GateRun): string {
  const { engines, window, max } = run;
  const plot = {
    width: size.width - size.left - size.right,
    height: size.height - size.top - size.bottom,
  };
  const x = (seconds: number) =>
    size.left + ((seconds - window.start) / (window.end - window.start)) * plot.width;
  const y = (share: number) => size.top + (1 - Math.min(1, share)) * plot.height;
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<line x1="${size.left}" x2="${size.width - size.right}" y1="${y(share)}" y2="${y(share)}" stroke="#e5e7eb"/>` +
      `<text x="${size.left - 6}" y="${y(share) + 4}" text-anchor="end">${share * 100} %</text>`,
  );
  // Failing engines last, so that nothing hides them.
  const order = ['pass', 'unknown', 'fail'];
  const lines = engines
    .toSorted((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict))
    .flatMap((engine) => polylines(engine, x, y));
  const hours = [window.start, window.end].map((seconds, index) => {
    const text = new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ');
    return `<text x="${x(seconds)}" y="${size.height - 8}" text-anchor="${index === 0 ? 'start' : 'end'}">${text}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="system-ui, sans-serif" font-size="11" fill="#374151">`,
    `<rect width="${size.width}" height="${size.height}" fill="#ffffff"/>`,
    `<text x="${size.left}" y="16" font-size="13">KV cache in use, highest of each engine (UTC)</text>`,
    ...grid,
    ...lines,
    `<line x1="${size.left}" x2="${size.width - size.right}" y1="${y(max)}" y2="${y(max)}" stroke="#111827" stroke-dasharray="5 4"/>`,
    ...hours,
    '</svg>',
    '',
  ].join('\n');
}

/** One line for each stretch without a gap. */
function polylines(
  { trend, verdict, name }: EngineVerdict,
  x: (seconds: number) => number,
  y: (share: number) => number,
): string[] {
  const step = (trend[1]?.atSeconds ?? 0) - (trend[0]?.atSeconds ?? 0);
  const stretches: string[][] = [[]];
  for (const { atSeconds, highest } of trend) {
    if (highest === undefined) stretches.push([]);
    else stretches.at(-1)?.push(`${x(atSeconds + step / 2).toFixed(1)},${y(highest).toFixed(1)}`);
  }
  return stretches
    .filter((points) => points.length > 0)
    .map(
      (points) =>
        `<polyline points="${points.join(' ')}" fill="none" stroke="${colours[verdict]}" stroke-width="1.5"><title>${escaped(name)}</title></polyline>`,
    );
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
