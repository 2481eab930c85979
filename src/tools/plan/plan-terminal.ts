// The plan on a terminal: verdict, layout, figures with intervals, alternatives, and the next command.
import { counted } from '../../core/base/index.ts';
import { dollars, milliseconds, number, roundChange, roundPercent } from '../report/index.ts';
import { range } from './figures.ts';
import { gateShell } from './gate-line.ts';
import type { Plan } from './plan.ts';
import type { Scenario } from './scenario.ts';
import { goalsText, routingGainMin, stackNames, verdictLines } from './sections.ts';
import { offloadNames } from './settle-offload.ts';

export interface TerminalOptions {
  /** Width in characters. */
  readonly columns: number;
  /** The command to run next, as it would be typed. */
  readonly next: string;
}

/** Maximum width for readable text. */
const columnsMax = 100;

/** Lines at the full width: a plan fits into a window. */
const linesMax = 30;

/** Returns at most 30 lines at 100 columns, for which it omits warnings; the page has them all. */
export function planTerminal(plan: Plan, { columns, next }: TerminalOptions): string {
  const width = Math.max(40, Math.min(columnsMax, columns));
  const paragraph = (text: string) => wrapped(text, width);
  const warnings = plan.warnings.map((warning) => paragraph(`Warning: ${warning}`));
  const lines = (shown: number) => [
    ...verdictLines(plan).flatMap(paragraph),
    '',
    ...rows(layoutRows(plan), width),
    '',
    ...rows(figureRows(plan), width),
    '',
    'Not taken:',
    ...rows(otherRows(plan), width),
    '',
    ...warnings.slice(0, shown).flat(),
    ...(shown < warnings.length
      ? [`${counted(warnings.length - shown, 'warning')} more: --markdown`]
      : []),
    // Commands stay on one line, so that they can be copied.
    `  Next  ${next}`,
    ...rows(
      [['Page', '--markdown, or --html plan.html: reasons, sizes, monitoring, assumptions']],
      width,
    ),
    `  Gate  ${gateShell(plan)}`,
  ];
  let shown = warnings.length;
  while (shown > 0 && lines(shown).length > linesMax) shown--;
  return `${lines(shown).join('\n')}\n`;
}

type Row = readonly [name: string, text: string];

/** Names the other policy that reads KV events, if it is better. */
function otherRouting({ otherRouting: other }: Plan['impact']): string {
  if (other === undefined || other.gain.throughput.mean < routingGainMin) return '';
  return ` (${other.policy}: ${roundChange(other.gain.throughput.mean)} tokens/s)`;
}

function layoutRows({ decision, engines, layout, offloadGiB, routing, impact }: Plan): Row[] {
  const { gpusPerEngine, gpu, model, pricePerHour, pipelineParallelSize } = layout;
  const stages = pipelineParallelSize > 1 ? ` in ${pipelineParallelSize} stages` : '';
  const price = pricePerHour === undefined ? '' : `, ${dollars(pricePerHour * engines)} per hour`;
  const memory = offloadGiB > 0 ? `, ${number(offloadGiB)} GiB of host memory per engine` : '';
  return [
    ['stack', stackNames[decision.stack]],
    [
      'engines',
      `${counted(engines, 'engine')} of ${gpusPerEngine} × ${gpu.name}${stages}: ${model.name}${price}`,
    ],
    ['offload', `${offloadNames[decision.kvOffload]}${memory}: ${decision.kvOffloadBecause}`],
    ['routing', `${routing.policy}${otherRouting(impact)}`],
  ];
}

function figureRows({ impact: { planned }, input }: Plan): Row[] {
  const { throughput, ttftMs, tpotMs, goodput, isOverloaded } = planned;
  const overload = isOverloaded ? ' OVERLOADED' : '';
  return [
    ['output tokens/s', `${range(throughput, number)}${overload}`],
    ['TTFT, mean', range(ttftMs, milliseconds)],
    ['TPOT, mean', range(tpotMs, milliseconds)],
    ...(goalsText(input.slo) === undefined
      ? []
      : [['goodput', range(goodput, roundPercent)] satisfies Row]),
  ];
}

/** Returns the alternatives with their figures: other offloads, one engine, one more engine. */
function otherRows({ decision, impact, engines, layout }: Plan): Row[] {
  const { planned, baseline, native, lmcache, purchases } = impact;
  const change = (scenario: Scenario) => scenario.throughput.mean / planned.throughput.mean - 1;
  const figures = (scenario: Scenario) =>
    `${roundChange(change(scenario))} tokens/s, TTFT ${milliseconds(scenario.ttftMs.mean)}`;
  const offloads = [
    ['none', baseline],
    ['native', native],
    ['lmcache', lmcache],
  ] as const;
  const more = purchases.find(({ what }) => what === 'one more engine');
  const fewer =
    engines > 1
      ? [['one engine', `enough below ${roundPercent(1 / engines)} of this load`] satisfies Row]
      : [];
  return [
    ...offloads
      .filter(([kind]) => kind !== decision.kvOffload)
      .map(([kind, scenario]): Row => [offloadNames[kind], figures(scenario)]),
    ...fewer,
    ...(more === undefined
      ? []
      : [
          [
            'one more engine',
            `${roundChange(more.gain.throughput.mean)} tokens/s for ${layout.pricePerHour === undefined ? 'an unknown price' : `${dollars(layout.pricePerHour)} per hour`}`,
          ] satisfies Row,
        ]),
  ];
}

/** Formats names in a column with wrapped texts next to them. */
function rows(list: readonly Row[], width: number): string[] {
  const nameWidth = Math.max(...list.map(([name]) => name.length)) + 4;
  return list.flatMap(([name, text]) =>
    wrapped(text, width - nameWidth).map(
      (line, i) => `${(i === 0 ? `  ${name}` : '').padEnd(nameWidth)}${line}`,
    ),
  );
}

/** Wraps text at `width` characters; longer words stay whole. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
