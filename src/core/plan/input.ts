// The input file of `spillway plan -f`: workload, fleet, operations, goals and requests.
import { z } from 'zod';
import { policyNames } from '../routing/index.ts';
import { thresholdsSchema } from '../values/index.ts';
import { offloadKinds, prefixReuseKinds, stackKinds } from './kinds.ts';
import { stackNeeds } from './stack-needs.ts';

/** A router that is not Spillway's: the prefix scorers of llm-d's tiered-prefix-cache guide. */
export const routingOfLlmd = 'llm-d';
/** Routers that a plan can simulate. */
export const planRoutings = [...policyNames, routingOfLlmd] as const;
export type PlanRouting = (typeof planRoutings)[number];

const tokens = z.number().min(1).max(10_000_000);
const rate = z.number().gt(0).max(1_000_000);
const chosen = z.literal('choose');

function key<T extends z.ZodType>(schema: T, description: string): T {
  return schema.meta({ description });
}

/** A length: one number, a distribution, or (prompts only) a trace to measure. */
const lengths = z.union([
  tokens,
  z.strictObject({
    mean: tokens.optional(),
    p50: tokens.optional(),
    p95: tokens.optional(),
    max: tokens.optional(),
  }),
]);

const workload = z.strictObject({
  promptTokens: key(
    z.union([...lengths.options, z.strictObject({ trace: z.string().min(1) })]).optional(),
    'Tokens of a prompt: a number, {mean, p50, p95, max}, or {trace: FILE} to measure the whole workload.',
  ),
  outputTokens: key(lengths.optional(), 'Tokens of a response: a number or {mean, p50, p95, max}.'),
  concurrency: key(z.int().min(1).max(1_000_000).optional(), 'Requests in flight at the peak.'),
  requestsPerSecond: key(rate.optional(), 'Mean arrivals per second.'),
  peakRequestsPerSecond: key(rate.optional(), 'Arrivals per second at the peak.'),
  prefixReuse: key(z.enum(prefixReuseKinds).optional(), 'What prompts share at their start.'),
  sharedPrefixTokens: key(
    z.number().min(0).max(10_000_000).optional(),
    'Tokens of a shared prefix.',
  ),
  prefixGroups: key(
    z.int().min(0).max(10_000_000).optional(),
    'Number of distinct shared prefixes; 0: nothing is shared, as with prefixReuse none.',
  ),
  preemptionsPerMinute: key(
    z.number().min(0).max(1_000_000).optional(),
    'Preemptions per minute observed today, in the whole fleet.',
  ),
});

const fleet = z.strictObject({
  engines: key(
    z.union([z.int().min(1).max(10_000), chosen]).optional(),
    'Number of vLLM servers, or "choose".',
  ),
  gpu: key(
    z.union([z.string().min(1), z.record(z.string(), z.unknown())]).optional(),
    'Catalogue name, "choose", CPU, a YAML file with the specification of a GPU, or the specification itself.',
  ),
  gpusPerEngine: key(
    z.int().min(1).max(64).optional(),
    'GPUs per engine: tensor parallel within a node, pipeline parallel beyond; the smallest number that serves the model if unset.',
  ),
  gpusPerNode: key(z.int().min(1).max(64).optional(), 'GPUs per node (host); 8 if unset.'),
  gpuMemoryUtilization: key(
    z.number().gt(0).max(1).optional(),
    'Share of GPU memory for vLLM; 0.9 if unset.',
  ),
  maxNumSeqs: key(
    z.int().min(1).max(100_000).optional(),
    'Maximum number of requests in a batch; twice the requests in flight per engine if unset.',
  ),
  model: key(z.string().min(1).optional(), 'Catalogue name, or a folder with config.json.'),
  loraAdapters: key(z.int().min(0).max(100_000).optional(), 'Number of LoRA adapters.'),
});

const operations = z.strictObject({
  kubernetes: key(z.boolean().optional(), 'Whether the team runs Kubernetes.'),
  multiTenant: key(z.boolean().optional(), 'Whether several tenants share the fleet.'),
  tenants: key(z.int().min(1).max(1_000_000).optional(), 'Number of tenants.'),
  budgetPerHour: key(z.number().gt(0).optional(), 'Budget for GPUs in dollars per hour.'),
  gpuPricePerHour: key(
    z.number().gt(0).optional(),
    "Price of one GPU in dollars per hour; a provider's list price if unset.",
  ),
  hbmMonitoring: key(z.boolean().optional(), 'Whether HBM pressure is or will be monitored.'),
  handRolled: key(z.boolean().optional(), 'Whether the team wants to build its own stack.'),
  needs: key(
    z.array(z.enum(stackNeeds)).max(stackNeeds.length).optional(),
    'What the stack must have beyond engines, router and monitoring; the plan says what the chart has of it.',
  ),
  hostDramGiB: key(
    z.number().min(0).max(100_000).optional(),
    'Host memory for KV cache per engine, in GiB.',
  ),
  routing: key(
    z.enum(planRoutings).optional(),
    'What routes the requests, if already decided: a policy of the router, or llm-d for the prefix scorers of its tiered-prefix-cache guide.',
  ),
});

/** The whole file. Every key is optional; the plan prints what it assumes. */
export const planInputSchema = z.strictObject({
  workload: key(workload.prefault({}), 'The traffic.'),
  fleet: key(fleet.prefault({}), 'The engines.'),
  operations: key(operations.prefault({}), 'The team and its means.'),
  slo: key(
    z
      .strictObject({
        ttftMs: key(z.number().gt(0).optional(), 'Objective for the time to first token, in ms.'),
        tpotMs: key(z.number().gt(0).optional(), 'Objective for the time per output token, in ms.'),
        e2eMs: key(z.number().gt(0).optional(), 'Objective for the end-to-end latency, in ms.'),
      })
      .prefault({}),
    'Latency objectives. Goodput counts the requests that meet all of them.',
  ),
  wants: key(
    z
      .strictObject({
        stack: key(z.enum(stackKinds).optional(), 'The stack, if already decided.'),
        kvOffload: key(z.enum(offloadKinds).optional(), 'The KV offload, if already decided.'),
      })
      .prefault({}),
    'What is already decided; the plan says whether it is accepted.',
  ),
  current: key(
    z
      .strictObject({
        kvOffload: key(z.enum(offloadKinds).optional(), 'The current KV offload.'),
        engines: key(z.int().min(1).max(10_000).optional(), 'The current number of engines.'),
        policy: key(z.enum(planRoutings).optional(), 'What currently routes the requests.'),
      })
      .optional(),
    'The current deployment; the expected impact is reported relative to it.',
  ),
  thresholds: key(thresholdsSchema.prefault({}), 'Thresholds that differ from those of the rules.'),
});

export type PlanInput = z.output<typeof planInputSchema>;

/** Returns the JSON Schema (draft 7) of the file. */
export function planInputJsonSchema(): object {
  return {
    title: 'Spillway plan input',
    ...z.toJSONSchema(planInputSchema, { io: 'input', target: 'draft-7' }),
  };
}

/** A key with a value, as opposed to a section. */
export interface PlanInputKey {
  readonly path: readonly string[];
  readonly description: string;
  /** Whether the key takes a list. */
  readonly isList: boolean;
  /** The texts that the key, or an element of its list, can be; undefined if it takes others. */
  readonly allowed: readonly string[] | undefined;
}

/** Returns all keys of the file, in order. */
export function planInputKeys(): PlanInputKey[] {
  return Object.entries(planInputSchema.shape).flatMap(([section, schema]) =>
    Object.entries(sectionShape(schema)).map(([name, value]) => ({
      path: [section, name],
      description: value.meta()?.description ?? '',
      ...allowedIn(value),
    })),
  );
}

/** What a key takes, if it is one of a few texts, or a list of them. */
function allowedIn(schema: z.ZodType): Pick<PlanInputKey, 'isList' | 'allowed'> {
  const inner = required(schema);
  const isList = inner instanceof z.ZodArray;
  const element = isList ? required(inner.element as z.ZodType) : inner;
  return {
    isList,
    allowed: element instanceof z.ZodEnum ? element.options.map(String) : undefined,
  };
}

/** The schema without the wrappers that make it optional. */
function required(schema: z.ZodType): z.ZodType {
  let inner = schema;
  while (inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional) {
    inner = inner.unwrap() as z.ZodType;
  }
  return inner;
}

/** Returns the keys of a section. */
function sectionShape(schema: z.ZodType): Readonly<Record<string, z.ZodType>> {
  const inner = required(schema);
  if (!(inner instanceof z.ZodObject)) throw new Error('A section of the input is no map');
  return inner.shape;
}
