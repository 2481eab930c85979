// The table of commands. Add a row here and a file in commands/.
import type { Command } from 'commander';

interface CommandEntry {
  /** One line for `spillway --help`. */
  readonly summary: string;
  /** Imports the command's file only when the command runs. */
  readonly load: () => Promise<Command>;
}

export const commands: Readonly<Record<string, CommandEntry>> = {
  bench: {
    summary: 'Send load to an OpenAI-compatible server and measure it.',
    load: async () => (await import('./commands/bench.ts')).benchCommand(),
  },
  cache: {
    summary: 'Run a cache server that LMCache uses unchanged.',
    load: async () => (await import('./commands/cache.ts')).cacheCommand(),
  },
  calibrate: {
    summary: 'Fit the engine model to measurements of an engine.',
    load: async () => (await import('./commands/calibrate.ts')).calibrateCommand(),
  },
  claims: {
    summary: 'Measure the gains that the production stack is advertised with, beside the claims.',
    load: async () => (await import('./commands/claims.ts')).claimsCommand(),
  },
  compare: {
    summary: 'Compare two servers, stacks or saved runs: better, worse, or no difference.',
    load: async () => (await import('./commands/compare.ts')).compareCommand(),
  },
  deploy: {
    summary: 'Install or upgrade a stack on Kubernetes, and wait until it serves.',
    load: async () => (await import('./commands/deploy.ts')).deployCommand(),
  },
  doctor: {
    summary: 'Check a cluster and this machine for anything that would keep a stack from starting.',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand(),
  },
  engine: {
    summary: 'Run an embedded engine: an emulated vLLM server with synthetic text.',
    load: async () => (await import('./commands/engine.ts')).engineCommand(),
  },
  env: {
    summary: 'Describe this machine, for results and bug reports.',
    load: async () => (await import('./commands/env.ts')).envCommand(),
  },
  config: {
    summary: 'Show, edit, check and describe values files.',
    load: async () => (await import('./commands/config.ts')).configCommand(),
  },
  gate: {
    summary: 'Check the HBM utilization P99 of the last 24 hours in Prometheus against a limit.',
    load: async () => (await import('./commands/gate.ts')).gateCommand(),
  },
  images: {
    summary: 'List the images of a stack, and load them through a registry mirror.',
    load: async () => (await import('./commands/images.ts')).imagesCommand(),
  },
  logs: {
    summary: "Show the logs of a stack's pods on Kubernetes.",
    load: async () => (await import('./commands/logs.ts')).logsCommand(),
  },
  monitor: {
    summary: 'Forward local ports to the router, Grafana and Prometheus of a cluster.',
    load: async () => (await import('./commands/monitor.ts')).monitorCommand(),
  },
  operator: {
    summary: 'Run the Kubernetes operator, or print the manifests that it needs.',
    load: async () => (await import('./commands/operator.ts')).operatorCommand(),
  },
  plan: {
    summary:
      'Decide stack, KV offload and size for a workload, on one page, with reasons and figures.',
    load: async () => (await import('./commands/plan.ts')).planCommand(),
  },
  report: {
    summary: 'Write one page about measured runs: list, trends, comparison, charts.',
    load: async () => (await import('./commands/results.ts')).reportCommand(),
  },
  results: {
    summary: 'List the runs that were measured with --run-dir.',
    load: async () => (await import('./commands/results.ts')).resultsCommand(),
  },
  router: {
    summary:
      'Route the requests of an OpenAI endpoint to the engine that is expected to respond first.',
    load: async () => (await import('./commands/router.ts')).routerCommand(),
  },
  simulate: {
    summary: 'Simulate engines or caches on a trace or workload, in virtual time.',
    load: async () => (await import('./commands/simulate.ts')).simulateCommand(),
  },
  smoke: {
    summary: 'Test a stack: models, completions, streams, routing, metrics.',
    load: async () => (await import('./commands/smoke.ts')).smokeCommand(),
  },
  status: {
    summary: 'Show the state of a stack on Kubernetes, with reasons and next steps.',
    load: async () => (await import('./commands/status.ts')).statusCommand(),
  },
  teardown: {
    summary: 'Remove a stack from Kubernetes, and check that nothing is left.',
    load: async () => (await import('./commands/teardown.ts')).teardownCommand(),
  },
  up: {
    summary: 'Run engines and a router on this machine.',
    load: async () => (await import('./commands/up.ts')).upCommand(),
  },
};
