// Settings of the embedded engine that vLLM does not have.
import { none, setting, used } from '../setting.ts';
import { count, rate, repeated, text, toggle } from '../value-kinds.ts';

const notVllm = none('vLLM does not have it');
const ours = { engine: used, serve: notVllm, recorded: notVllm } as const;
const timeless = none('a simulation runs as fast as it can');

export const emulationSettings = {
  count: setting({
    ...{ flag: '--count', value: count(1), unit: 'engines', default: 1 },
    about: 'number of engines in this process, on consecutive ports; they stop and crash together',
    effects: { ...ours, simulate: none('replicaCount sets the number of engines') },
  }),
  json: setting({
    ...{ flag: '--json', value: toggle, defaultText: 'off' },
    about: 'print the ready lines as JSON',
    effects: { ...ours, simulate: none('a simulation starts no engine') },
  }),
  standIn: setting({
    ...{ flag: '--stand-in', keys: ['standIn'], value: text('<model>'), defaultText: 'none' },
    about:
      'model whose size and speed the engine has in place of its own: a catalogue name, a folder with config.json, or a size such as 8B or 30B-A3B',
    effects: { ...ours, simulate: used },
  }),
  gpu: setting({
    ...{ flag: '--gpu', keys: ['gpu'], value: text('<type>'), default: 'H100-80GB' },
    about: 'catalogue name, YAML file or JSON entry of the GPU',
    effects: { ...ours, simulate: used, plan: used },
  }),
  profile: setting({
    ...{ flag: '--profile', keys: ['profile'], value: text('<folder>') },
    defaultText: 'the roofline',
    about: 'measured step times, used instead of the roofline',
    effects: { ...ours, simulate: used, plan: used },
  }),
  timeScale: setting({
    ...{ flag: '--time-scale', keys: ['timeScale'], value: rate, default: 1 },
    unit: 'GPU seconds per wall-clock second',
    about: 'GPU seconds per wall-clock second; inf for as fast as possible',
    effects: { ...ours, simulate: timeless },
  }),
  fault: setting({
    ...{ flag: '--fault', keys: ['faults'], value: repeated('<spec>'), defaultText: 'none' },
    about: 'inject a fault, e.g. error:probability=0.1; repeatable',
    effects: { ...ours, simulate: none('simulations take faults from their flag --fail') },
  }),
} as const;
