// The settings of admission: one table for the command line and the values file.

/** What users set; see the table for meanings and defaults. */
export interface AdmissionSettings {
  /** Seconds; 0 turns admission off. */
  readonly queueTimeout: number;
  readonly maxQueuedRequests: number;
  /** Seconds. */
  readonly saturationWait: number;
  /** Seconds; 0: a request for a model without an engine fails at once. */
  readonly holdTimeout: number;
}

interface AdmissionSetting {
  /** Key under `routerSpec.admission`. */
  readonly key: keyof AdmissionSettings;
  readonly flag: string;
  readonly unit: 'seconds' | 'n';
  readonly help: string;
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

export const admissionSettings: readonly AdmissionSetting[] = [
  {
    key: 'queueTimeout',
    flag: '--queue-timeout',
    unit: 'seconds',
    help: 'how long a request may wait in the router while all engines are saturated, before it gets status 429; 0: no queue, requests always go to an engine at once',
    default: 0,
    min: 0,
    max: 86_400,
  },
  {
    key: 'maxQueuedRequests',
    flag: '--max-queued-requests',
    unit: 'n',
    help: 'maximum number of requests of a model that wait in the router; further ones get status 429',
    default: 10_000,
    min: 1,
    max: 1_000_000,
  },
  {
    key: 'saturationWait',
    flag: '--saturation-wait',
    unit: 'seconds',
    help: 'wait in an engine from which it counts as saturated',
    default: 2,
    min: 0.1,
    max: 3600,
  },
  {
    key: 'holdTimeout',
    flag: '--hold-timeout',
    unit: 'seconds',
    help: 'how long a request may wait in the router while no engine serves its model, such as after a scale to zero, before it gets status 503; 0: it gets it at once',
    default: 0,
    min: 0,
    max: 86_400,
  },
];
