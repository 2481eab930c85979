// The HBM of all engines at a glance: one cell for each, filled as far as its KV blocks are in use. It is drawn on one
// canvas, because a thousand elements a second would keep a browser busy.
import { useEffect, useRef, useState } from 'preact/hooks';
import { currentReport, type EngineView } from '../../src/core/views/index.ts';
import { count, percent } from './format.ts';
import { cellAt, type MapShape, mapShape } from './hbm-cells.ts';

/** Above this share of blocks vLLM is about to preempt. */
const fullShare = 0.92;
const heightMax = 160;

export function HbmMap({ engines }: { readonly engines: readonly EngineView[] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [pointed, setPointed] = useState<number>();
  const shape = mapShape(engines.length, width, heightMax);
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const observer = new ResizeObserver(([entry]) => {
      setWidth(Math.floor(entry?.contentRect.width ?? 0));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (canvas.current !== null && width > 0) draw(canvas.current, engines, shape);
  });
  const usages = engines.flatMap((engine) => currentReport(engine)?.kvUsage ?? []);
  const full = usages.filter((usage) => usage >= fullShare).length;
  const mean = usages.reduce((sum, usage) => sum + usage, 0) / usages.length;
  const summary =
    usages.length === 0
      ? 'No engine reports its KV blocks.'
      : `${count(usages.length)} engines: ${percent(mean)} of the KV blocks in use, ${count(full)} at or above ${percent(fullShare)}`;
  const engine = pointed === undefined ? undefined : engines[pointed];
  return (
    <figure class="card hbm-map">
      <figcaption>
        HBM <span class="quiet">{summary}</span>
      </figcaption>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`HBM of the fleet. ${summary}. The list of engines has the figures.`}
        style={{ height: `${shape.height}px` }}
        onPointerMove={(event) => setPointed(cellAt(shape, event.offsetX, event.offsetY))}
        onPointerLeave={() => setPointed(undefined)}
      />
      <p class="quiet hbm-pointed" aria-hidden="true">
        {engine === undefined
          ? 'Point at a cell for its engine.'
          : `${engine.name}: ${stateOf(engine)}`}
      </p>
    </figure>
  );
}

function stateOf(engine: EngineView): string {
  const report = currentReport(engine);
  if (report === null) return engine.state;
  const { kvUsage, blocksUsed, blocksTotal } = report;
  const cached =
    engine.kvEvents === null ? '' : `, ${count(engine.kvEvents.blocks)} hold known prefixes`;
  return `${percent(kvUsage)}, ${count(blocksUsed)} of ${count(blocksTotal)} blocks in use${cached}`;
}

function draw(canvas: HTMLCanvasElement, engines: readonly EngineView[], shape: MapShape): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  const ratio = devicePixelRatio || 1;
  const { columns, cell, gap, height } = shape;
  const width = canvas.clientWidth;
  if (canvas.width !== width * ratio) canvas.width = width * ratio;
  if (canvas.height !== height * ratio) canvas.height = height * ratio;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  const colour = (name: string) => style.getPropertyValue(name);
  const [empty, used, full] = [colour('--map-empty'), colour('--map-used'), colour('--map-full')];
  engines.forEach((engine, index) => {
    const x = (index % columns) * (cell + gap);
    const y = Math.floor(index / columns) * (cell + gap);
    const usage = currentReport(engine)?.kvUsage;
    context.fillStyle = empty;
    if (usage == null) {
      // An outline: nothing is known.
      context.fillRect(x, y, cell, 1);
      context.fillRect(x, y + cell - 1, cell, 1);
      return;
    }
    context.fillRect(x, y, cell, cell);
    context.fillStyle = usage >= fullShare ? full : used;
    const filled = Math.min(1, usage) * cell;
    context.fillRect(x, y + cell - filled, cell, filled);
  });
}
