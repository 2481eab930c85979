// Reads the workload file: YAML with the keys of its kind. Each invalid key is reported with its line.
import { z } from 'zod';
import { applySet, checkDocument, parseValues, toPlain, ValuesError } from '../values/index.ts';
import type { ArrivalProcess } from './arrivals.ts';
import { aboveZero, meaning, positive } from './kinds/fields.ts';
import type { Clients } from './kinds/kind.ts';
import { type Workload, workloadKinds } from './workload.ts';

/** Keys that every kind has. */
export const commonFields = {
  requests: meaning(
    positive.optional(),
    'Number of requests to send. shared-prefix: one pass by default, unless seconds is set.',
  ),
  seconds: meaning(aboveZero.optional(), 'Time after which no request is sent.'),
};

const rate = meaning(aboveZero, 'Mean arrivals per second.');

/** Keys below `arrivals`, by arrival process; `clients` is the closed loop. */
export const arrivalFields: Readonly<Record<ArrivalProcess['process'] | 'clients', z.ZodRawShape>> =
  {
    constant: { rate },
    poisson: { rate },
    gamma: {
      rate,
      burstiness: meaning(
        aboveZero,
        'Shape of the gaps, as in vllm bench serve: 1 is Poisson, below 1 is burstier.',
      ),
    },
    'on-off': {
      rate,
      onSeconds: meaning(aboveZero, 'Mean length of a burst.'),
      offSeconds: meaning(z.number().min(0), 'Mean length of a silence.'),
    },
    diurnal: {
      rate,
      swing: meaning(
        z.number().min(0).max(1),
        'Peak over the mean, minus 1: the rate is rate · (1 + swing · sin).',
      ),
      periodSeconds: meaning(aboveZero, 'Length of a day.'),
    },
    clients: {
      clients: meaning(
        positive,
        'Closed loop: number of clients, each with one request at a time; excludes process and rate.',
      ),
      thinkSeconds: meaning(
        z.number().min(0).default(0),
        'Mean pause after a response, exponentially distributed.',
      ),
      rampSeconds: meaning(
        z.number().min(0).optional(),
        'Period over which the clients start, evenly spaced; 0: all at once. By default 10 ms per client, at most 1 s in all, as the users of bench serve.',
      ),
    },
  };

/**
 * Reads a workload file. Lengths may still refer to traces: see `TracedLengths`.
 *
 * @param source The file's name, for errors.
 * @param overrides `KEY=VALUE` in the grammar of `--set`.
 * @throws {ValuesError} With one line per problem: file, line, key, what is allowed.
 * @example parseWorkload('kind: single\nprompt: 500\nanswer: 100\nrequests: 9\narrivals: { clients: 2 }', 'w.yaml');
 */
export function parseWorkload(
  text: string,
  source: string,
  overrides: readonly string[] = [],
): Workload {
  const parsed = parseValues(text, source);
  const problems = [...parsed.problems];
  let { tree } = parsed;
  for (const override of overrides) {
    const applied = applySet(tree, override, '--set-workload');
    problems.push(...applied.problems);
    tree = applied.tree;
  }
  if (problems.length > 0) throw new ValuesError(problems);
  const schema = schemaOf(toPlain(tree) as Readonly<Record<string, unknown>>);
  const { value } = checkDocument(schema, tree);
  const { kind: name, requests, seconds, arrivals, ...settings } = value as FileContents;
  const kind = workloadKinds.get(name);
  const isEndless = requests === undefined && seconds === undefined;
  if (isEndless && kind?.requests?.(settings) === undefined) {
    const sentence = `a workload of kind ${name} has no end; set requests or seconds`;
    throw new ValuesError([{ place: tree.place, sentence }]);
  }
  return { kind: name, settings, arrivals, requests, seconds };
}

interface FileContents {
  readonly kind: string;
  readonly requests?: number;
  readonly seconds?: number;
  readonly arrivals?: ArrivalProcess | Clients;
  readonly [key: string]: unknown;
}

/** Returns the schema of the file's kind and arrival process, so that errors refer to these only. */
function schemaOf(plain: Readonly<Record<string, unknown>>): z.ZodType {
  const kind = workloadKinds.get(String(plain['kind']));
  if (kind === undefined) {
    return z.looseObject({ kind: z.enum([...workloadKinds.keys()] as [string, ...string[]]) });
  }
  return z.strictObject({
    kind: z.literal(kind.name),
    ...commonFields,
    ...kind.fields,
    ...(kind.takesArrivals ? { arrivals: arrivalsSchema(plain['arrivals']) } : {}),
  });
}

function arrivalsSchema(written: unknown): z.ZodType {
  const given = (typeof written === 'object' ? written : {}) as Record<string, unknown>;
  if (given !== null && 'clients' in given) return z.strictObject(arrivalFields.clients);
  const { clients: _, ...processes } = arrivalFields;
  const names = Object.keys(processes) as (keyof typeof processes)[];
  const name = names.find((process) => process === given?.['process']);
  if (name === undefined) return z.looseObject({ process: z.enum(names) });
  return z.strictObject({ process: z.literal(name), ...processes[name] });
}
