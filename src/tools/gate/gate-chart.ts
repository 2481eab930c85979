// Draws the window as an SVG file: maximum KV-cache usage of each engine over time, and the limit.
import { type EngineVerdict, percentText } from '../../core/gate/index.ts';
import { lineDrawing, type Point, pictureFile, type Series } from '../report/index.ts';
import type { GateRun } from './run-gate.ts';

const verdicts = {
  pass: { colour: 'good', name: 'within the limit' },
  unknown: { colour: 'soft', name: 'too little data' },
  fail: { colour: 'bad', name: 'over the limit' },
} as const;

/** Steps between the times below the chart. */
const timeSteps = 4;

/** Returns a standalone chart for light and dark backgrounds. */
export function gateChart({ engines, window, max }: GateRun): string {
  // Failing engines are drawn last, so that nothing hides them.
  const drawn = (['pass', 'unknown', 'fail'] as const).flatMap((verdict) =>
    engines.filter((engine) => engine.verdict === verdict),
  );
  const title = 'KV cache utilization, highest of each engine (UTC)';
  const chart = lineDrawing({
    title,
    series: drawn.map(seriesOf),
    legend: [...new Set(drawn.map(({ verdict }) => verdicts[verdict]))],
    yMax: 1,
    yText: (share) => `${Math.round(share * 100)} %`,
    xTicks: Array.from({ length: timeSteps + 1 }, (_, i) => {
      const seconds = window.start + ((window.end - window.start) * i) / timeSteps;
      const text = new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ');
      return { at: seconds, text };
    }),
    limit: { y: max, text: `limit ${percentText(max)}` },
    size: { width: 760, height: 280 },
  });
  return pictureFile(title, [chart]);
}

/** Points in the middle of each step; a step without samples is a gap. */
function seriesOf({ trend, verdict, name }: EngineVerdict): Series {
  const step = (trend[1]?.atSeconds ?? 0) - (trend[0]?.atSeconds ?? 0);
  return {
    name,
    colour: verdicts[verdict].colour,
    points: trend.map(({ atSeconds, highest }): Point => [atSeconds + step / 2, highest]),
  };
}
