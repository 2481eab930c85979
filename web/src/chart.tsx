// A chart over time: uPlot in a box that adapts to its size and the colour scheme.
import type { ComponentChildren } from 'preact';
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
  /** Unix time of each point. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly height: number;
  /** Top of the axis; by default, it follows the data. */
  readonly max?: number;
  /** Smallest top of an axis that follows the data. @default 1 */
  readonly topMin?: number;
  /** Minimum time span. @default 60 */
  readonly secondsMin?: number;
  readonly format: (value: number) => string;
  /** Without axes, for small charts. */
  readonly isBare?: boolean;
  /** Text for screen readers. */
  readonly description: string;
}

/** A chart with a title, the colours of its series, and optional controls. */
export function ChartCard(
  props: ChartProps & { readonly title: ComponentChildren; readonly controls?: ComponentChildren },
) {
  return (
    <figure class="card chart-card">
      <figcaption>
        {props.title}
        {props.controls}
      </figcaption>
      <Chart {...props} />
      <p class="legend" aria-hidden="true">
        {props.series.map(({ label, colour }) => (
          <span key={label}>
            <span class="dot" style={{ background: `var(${colour})` }} />
            {label}
          </span>
        ))}
      </p>
    </figure>
  );
}

export function Chart(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const data = useRef<uPlot.AlignedData>([[]]);
  data.current = [[...props.times], ...props.series.map(({ values }) => [...values])];
  const shape = JSON.stringify([
    props.series.map(({ label, colour }) => [label, colour]),
    ...[props.height, props.max, props.topMin, props.secondsMin],
  ]);

  // `shape` represents the props in it: new data alone must not create a new plot.
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
    const theme = new MutationObserver(create);
    theme.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    const size = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: props.height }),
    );
    size.observe(element);
    return () => {
      scheme.removeEventListener('change', create);
      theme.disconnect();
      size.disconnect();
      plot.current?.destroy();
    };
  }, [shape]);

  useEffect(() => {
    plot.current?.setData(data.current);
  });
  return <div class="chart" ref={box} role="img" aria-label={props.description} />;
}

/** The colour of a custom property as the theme resolves it. */
function resolvedColour(element: HTMLElement, name: string): string {
  element.style.color = `var(${name})`;
  const { color } = getComputedStyle(element);
  element.style.color = '';
  return color;
}

/** The same colour, a fifth as opaque. */
function faint(colour: string): string {
  return colour.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.2)');
}

function optionsOf(props: ChartProps, element: HTMLElement): uPlot.Options {
  const { topMin = 1, secondsMin = 60 } = props;
  const colour = (name: string): string => resolvedColour(element, name);
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
        // A minimum span, so that the first points do not fill the whole width.
        range: (_plot, min, max) => [Math.min(min ?? 0, (max ?? 0) - secondsMin), max ?? 0],
      },
      y: {
        // Above the data and never zero, so that an idle line is drawn at the bottom.
        range: (_plot, _min, max) => [0, props.max ?? Math.max(topMin, (max ?? 0) * 1.15)],
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
            size: 56,
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
        ...(series.filled ? { fill: faint(colour(series.colour)) } : {}),
      })),
    ],
  };
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB');
}
