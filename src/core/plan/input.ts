// The file that `spillway plan -f` takes: workload, fleet, operations, goals, wishes.
import { z } from 'zod';
import { pickingPolicies, thresholdsSchema } from '../values/index.ts';

/** Ways in which prompts share their beginnings. */
export const prefixReuseKinds = ['none', 'system-prompt', 'rag', 'multi-turn', 'agents'] as const;
export type PrefixReuse = (typeof prefixReuseKinds)[number];
export const stackKinds = ['production-stack', 'single-engine'] as const;
export type StackKind = (typeof stackKinds)[number];
export const offloadKinds = ['none', 'native', 'lmcache'] as const;
export type OffloadKind = (typeof offloadKinds)[number];
/** A router that is not Spillway's: the prefix scorers of llm-d's tiered-prefix-cache guide. */
export const routingOfLlmd = 'llm-d';
/** Routers that a plan can reckon with. */
export const planRoutings = [...pickingPolicies, routingOfLlmd] as const;
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
    'Tokens of a prompt: a number, {mean, p50, p95, max}, or {trace: FILE} to measure all of the workload.',
  ),
  outputTokens: key(lengths.optional(), 'Tokens of an answer: a number or {mean, p50, p95, max}.'),
  concurrency: key(z.int().min(1).max(1_000_000).optional(), 'Requests in flight at the peak.'),
  requestsPerSecond: key(rate.optional(), 'Arrivals, on average.'),
  peakRequestsPerSecond: key(rate.optional(), 'Arrivals at the peak.'),
  prefixReuse: key(z.enum(prefixReuseKinds).optional(), 'How prompts share their beginnings.'),
  sharedPrefixTokens: key(
    z.number().min(0).max(10_000_000).optional(),
    'Tokens of a shared beginning.',
  ),
  prefixGroups: key(z.int().min(1).max(10_000_000).optional(), 'Distinct shared beginnings.'),
  preemptionsPerMinute: key(
    z.number().min(0).max(1_000_000).optional(),
    'Preemptions seen today, of the whole fleet.',
  ),
});

const fleet = z.strictObject({
  engines: key(
    z.union([z.int().min(1).max(10_000), chosen]).optional(),
    'vLLM servers, or "choose".',
  ),
  gpu: key(
    z.union([z.string().min(1), z.record(z.string(), z.unknown())]).optional(),
    'GPU of the catalogue, "choose", CPU, a YAML file with its figures, or these figures.',
  ),
  gpusPerEngine: key(
    z.int().min(1).max(64).optional(),
    'GPUs of one engine: tensor parallel in a node of 8, pipeline parallel beyond; the fewest that serve if unset.',
  ),
  gpuMemoryUtilization: key(
    z.number().gt(0).max(1).optional(),
    'Share of a GPU for vLLM; 0.9 where it is not given.',
  ),
  model: key(
    z.string().min(1).optional(),
    'Model of the catalogue, or a folder with its config.json.',
  ),
  loraAdapters: key(
    z.int().min(0).max(100_000).optional(),
    'LoRA adapters served beside the model.',
  ),
});

const operations = z.strictObject({
  kubernetes: key(z.boolean().optional(), 'Whether the team runs Kubernetes.'),
  multiTenant: key(z.boolean().optional(), 'Whether several tenants share the fleet.'),
  tenants: key(z.int().min(1).max(1_000_000).optional(), 'How many.'),
  budgetPerHour: key(z.number().gt(0).optional(), 'Most that the GPUs may cost. Dollars an hour.'),
  gpuPricePerHour: key(
    z.number().gt(0).optional(),
    "Price of one GPU; a provider's list price where it is not given. Dollars an hour.",
  ),
  hbmMonitoring: key(z.boolean().optional(), 'Whether HBM pressure is or will be watched.'),
  handRolled: key(z.boolean().optional(), 'Whether the team wants to build its own stack.'),
  hostDramGiB: key(
    z.number().min(0).max(100_000).optional(),
    'Host memory for KV, per engine. GiB.',
  ),
  routing: key(
    z.enum(planRoutings).optional(),
    'What routes the requests, where that is settled: a policy of the router, or llm-d, the prefix scorers of its tiered-prefix-cache guide.',
  ),
});

/** The whole file. Every part may be left out: what is open is assumed, and said. */
export const planInputSchema = z.strictObject({
  workload: key(workload.prefault({}), 'What is asked of the fleet.'),
  fleet: key(fleet.prefault({}), 'What answers.'),
  operations: key(operations.prefault({}), 'Who runs it, and with what.'),
  slo: key(
    z
      .strictObject({
        ttftMs: key(z.number().gt(0).optional(), 'Time to first token that is good enough. ms.'),
        tpotMs: key(z.number().gt(0).optional(), 'Time per output token that is good enough. ms.'),
        e2eMs: key(z.number().gt(0).optional(), 'Time to the last token that is good enough. ms.'),
      })
      .prefault({}),
    'The goal. Goodput counts the requests that meet all of it.',
  ),
  wants: key(
    z
      .strictObject({
        stack: key(z.enum(stackKinds).optional(), 'A stack that somebody has already decided.'),
        kvOffload: key(z.enum(offloadKinds).optional(), 'An offload that somebody has decided.'),
      })
      .prefault({}),
    'What somebody already decided; the plan says whether it stands.',
  ),
  current: key(
    z
      .strictObject({
        kvOffload: key(z.enum(offloadKinds).optional(), 'The offload of today.'),
        engines: key(z.int().min(1).max(10_000).optional(), 'The engines of today.'),
        policy: key(z.enum(planRoutings).optional(), 'What routes the requests today.'),
      })
      .optional(),
    'What runs today; the expected impact is told against it.',
  ),
  thresholds: key(
    thresholdsSchema.prefault({}),
    "The rules' numbers, where they are to be others.",
  ),
});

export type PlanInput = z.output<typeof planInputSchema>;

/** The JSON Schema (draft 7) of the file. */
export function planInputJsonSchema(): object {
  return {
    title: 'Spillway plan input',
    ...z.toJSONSchema(planInputSchema, { io: 'input', target: 'draft-7' }),
  };
}

/** One key that holds a value, not a section. */
export interface PlanInputKey {
  readonly path: readonly string[];
  readonly description: string;
}

/** Every key of the file, in its order. */
export function planInputKeys(): PlanInputKey[] {
  return Object.entries(planInputSchema.shape).flatMap(([section, schema]) =>
    Object.entries(sectionShape(schema)).map(([name, value]) => ({
      path: [section, name],
      description: value.meta()?.description ?? '',
    })),
  );
}

/** The keys of a section, below what says that it may be left out. */
function sectionShape(schema: z.ZodType): Readonly<Record<string, z.ZodType>> {
  let inner = schema;
  while (inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional) {
    inner = inner.unwrap() as z.ZodType;
  }
  if (!(inner instanceof z.ZodObject)) throw new Error('A section of the input is no map');
  return inner.shape;
}
