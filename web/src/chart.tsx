// A time line: uPlot in a box that follows its size and the colour scheme.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Series {
  readonly label: string;
  /** Name of a CSS custom property that holds a colour. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
  readonly filled?: boolean;
}

export interface ChartProps {
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly height: number;
  /** Top of the axis; else as the data needs. */
  readonly max?: number;
  readonly format: (value: number) => string;
  /** Without axes, for small charts. */
  readonly isBare?: boolean;
  /** What a screen reader says instead of the drawing. */
  readonly description: string;
}

export function Chart(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const data = useRef<uPlot.AlignedData>([[]]);
  data.current = [[...props.times], ...props.series.map(({ values }) => [...values])];
  const shape = JSON.stringify([
    props.series.map(({ label, colour }) => [label, colour]),
    props.height,
    props.max,
  ]);

  // `shape` stands for the props in it: new data alone must not make a new plot.
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const create = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(props, element), data.current, element);
    };
    create();
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', create);
    const observer = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: props.height }),
    );
    observer.observe(element);
    return () => {
      scheme.removeEventListener('change', create);
      observer.disconnect();
      plot.current?.destroy();
    };
  }, [shape]);

  useEffect(() => {
    plot.current?.setData(data.current);
  });
  return <div class="chart" ref={box} role="img" aria-label={props.description} />;
}

/** Shortest time line. */
const secondsShownMin = 60;

function optionsOf(props: ChartProps, element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--quiet'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  return {
    width: element.clientWidth,
    height: props.height,
    padding: props.isBare ? [2, 0, 2, 0] : [8, 26, 0, 0],
    cursor: { show: !props.isBare, points: { size: 6 }, drag: { x: false, y: false } },
    legend: { show: false },
    scales: {
      x: {
        time: true,
        // At least a minute, so that the first points do not fill the whole width.
        range: (_plot, min, max) => [Math.min(min ?? 0, (max ?? 0) - secondsShownMin), max ?? 0],
      },
      y: {
        range: (_plot, _min, max) => [0, props.max ?? niceTop(max)],
      },
    },
    axes: props.isBare
      ? [{ show: false }, { show: false }]
      : [
          {
            ...axis,
            space: 70,
            size: 24,
            values: (_plot, ticks) => ticks.map((tick) => clock(tick)),
          },
          {
            ...axis,
            size: 44,
            space: 28,
            values: (_plot, ticks) => ticks.map((tick) => props.format(tick)),
          },
        ],
    series: [
      {},
      ...props.series.map((series) => ({
        label: series.label,
        stroke: colour(series.colour),
        width: 1.75,
        points: { show: false },
        ...(series.filled ? { fill: `${colour(series.colour)}33` } : {}),
      })),
    ],
  };
}

/** A top above the data, never zero, so that an idle line lies on the ground. */
function niceTop(max: number | null): number {
  return Math.max(1, (max ?? 0) * 1.15);
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB');
}
