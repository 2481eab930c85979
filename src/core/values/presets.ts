// Ready-made values files, printed by `spillway config show --preset NAME`.

export interface Preset {
  readonly name: string;
  /** One line for `spillway config presets`. */
  readonly summary: string;
  /** The values file. */
  readonly yaml: string;
}

const laptop = `# Four embedded engines of one model behind the predictive router: no GPU, no cluster.
servingEngineSpec:
  modelSpec:
    - name: qwen3-8b
      kind: embedded
      modelURL: Qwen/Qwen3-8B
      gpu: H100-80GB
      replicaCount: 4
      vllmConfig:
        enablePrefixCaching: true
        kvEvents: true
routerSpec:
  routingLogic: predictive
`;

export const presets: readonly Preset[] = [
  {
    name: 'laptop',
    summary: 'Four embedded engines; what "spillway up" runs from nothing.',
    yaml: laptop,
  },
];
