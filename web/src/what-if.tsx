// "What if": the traffic of the last requests on another fleet, simulated in a worker.
import { useEffect, useRef, useState } from 'preact/hooks';
import {
  parseRequestViews,
  type RequestView,
  type RouterView,
} from '../../src/core/views/index.ts';
import { count, latency, percent, rate } from './format.ts';
import { routerFetch } from './router-request.ts';
import type { WhatIfAnswer, WhatIfQuestion } from './what-if-messages.ts';

/** Set by the build: where the worker is. */
declare const __WHAT_IF_WORKER__: string;

interface Choice {
  readonly engines: number;
  readonly load: number;
  readonly gpu: string;
  readonly model: string;
}

type Described = Extract<WhatIfAnswer, { kind: 'described' }>;
type Result = Extract<WhatIfAnswer, { kind: 'simulated' }>['result'];

const gpuDefault = 'H100-80GB';

export function WhatIf({ snapshot }: { readonly snapshot: RouterView }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <section class="card what-if" aria-label="What if">
      <header>
        <h2>What if…</h2>
        <span class="quiet">the last requests on another fleet, simulated in this browser</span>
        <button
          type="button"
          class="at-end"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          {isOpen ? 'Close' : 'Open'}
        </button>
      </header>
      {isOpen && <Simulator snapshot={snapshot} />}
    </section>
  );
}

function Simulator({ snapshot }: { readonly snapshot: RouterView }) {
  const worker = useRef<Worker>(undefined);
  const [described, setDescribed] = useState<Described>();
  const [choice, setChoice] = useState<Choice>();
  const [result, setResult] = useState<Result>();
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const servedModel = snapshot.engines[0]?.serving_models[0] ?? '';
  const live = snapshot.engines.filter(({ state }) => state === 'live').length;
  const [initial] = useState({ servedModel, live });
  useEffect(() => {
    const started = new Worker(__WHAT_IF_WORKER__, { type: 'module' });
    worker.current = started;
    started.onmessage = ({ data }: MessageEvent<WhatIfAnswer>) => {
      setBusy(false);
      if (data.kind === 'described') {
        setDescribed(data);
        const gpu = data.gpus.includes(gpuDefault) ? gpuDefault : (data.gpus[0] ?? '');
        setChoice({ engines: Math.max(1, initial.live), load: 1, gpu, model: data.model });
      } else if (data.kind === 'simulated') setResult(data.result);
      else setProblem(data.why);
    };
    started.onerror = () => {
      setBusy(false);
      setProblem('The simulator could not be loaded.');
    };
    const question: WhatIfQuestion = { kind: 'describe', servedModel: initial.servedModel };
    started.postMessage(question);
    return () => started.terminate();
  }, [initial]);

  const simulate = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (choice === undefined) return;
    setBusy(true);
    setProblem(undefined);
    setResult(undefined);
    try {
      const response = await routerFetch('/debug/requests', new AbortController().signal);
      const requests = observed(parseRequestViews(await response.text()));
      const whatIf = { ...choice, requests, policy: snapshot.policy };
      const question: WhatIfQuestion = { kind: 'simulate', whatIf };
      worker.current?.postMessage(question);
    } catch (error) {
      setBusy(false);
      setProblem((error as Error).message);
    }
  };

  if (described === undefined || choice === undefined) {
    return <p class="quiet">{problem ?? 'The simulator is being loaded.'}</p>;
  }
  const set = (changed: Partial<Choice>) => setChoice({ ...choice, ...changed });
  return (
    <>
      <form class="what-if-form" onSubmit={simulate}>
        <NumberField
          label="engines"
          value={choice.engines}
          min={1}
          max={512}
          step={1}
          onValue={(engines) => set({ engines })}
        />
        <NumberField
          label="load ×"
          value={choice.load}
          min={0.1}
          max={100}
          step={0.1}
          onValue={(load) => set({ load })}
        />
        <Select
          label="GPU"
          value={choice.gpu}
          options={described.gpus}
          onValue={(gpu) => set({ gpu })}
        />
        <Select
          label="model"
          value={choice.model}
          options={described.models}
          onValue={(model) => set({ model })}
        />
        <button type="submit" disabled={isBusy}>
          {isBusy ? 'Simulating' : 'Simulate'}
        </button>
      </form>
      {problem !== undefined && (
        <p class="notice bad" role="alert">
          {problem}
        </p>
      )}
      {result && <Outcome result={result} snapshot={snapshot} />}
    </>
  );
}

/** Responses of the router to single requests, as traffic. */
function observed(requests: readonly RequestView[]) {
  return requests
    .filter(({ outcome, status }) => outcome === 'completed' && status < 400)
    .map(({ atSeconds, seconds, promptTokens, cachedTokens, outputTokens }) => ({
      ...{ arrivalSeconds: atSeconds - seconds, promptTokens, cachedTokens, outputTokens },
    }));
}

function Outcome({ result, snapshot }: { readonly result: Result; readonly snapshot: RouterView }) {
  const { all } = snapshot.latencies;
  const ms = (value: number | null | undefined) => latency(value == null ? null : value / 1000);
  const rows = [
    ['TTFT', all.ttft, result.ttft],
    ['TPOT', all.tpot, result.tpot],
    ['end to end', all.e2e, result.e2e],
  ] as const;
  return (
    <div role="status">
      <p class={result.isOverloaded ? 'bad' : ''}>
        {result.isOverloaded
          ? 'Overloaded: the queue grows as long as requests arrive.'
          : 'Stable: the fleet keeps up.'}{' '}
        {rate(result.requestsPerSecond)} requests/s, engines busy for{' '}
        {percent(result.utilization, 0)} of the time, hit rate {percent(result.hitRate, 0)}.
      </p>
      <table class="what-if-table">
        <caption class="for-screen-readers">Latencies now and simulated</caption>
        <thead>
          <tr>
            <th scope="col">latency</th>
            <th scope="col" class="number">
              now, p50
            </th>
            <th scope="col" class="number">
              simulated, p50
            </th>
            <th scope="col" class="number">
              now, p90
            </th>
            <th scope="col" class="number">
              simulated, p90
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, now, then]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="number">{latency(now?.p50 ?? null)}</td>
              <td class="number">{ms(then.p50)}</td>
              <td class="number">{latency(now?.p90 ?? null)}</td>
              <td class="number">{ms(then.p90)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="quiet">
        {count(result.requests)} simulated requests. {result.notes.join(' ')} Latencies of the
        router and the network are not simulated.
      </p>
    </div>
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly onValue: (value: number) => void;
}

function NumberField({ label, onValue, ...input }: NumberFieldProps) {
  return (
    <label>
      <span class="quiet">{label} </span>
      <input
        type="number"
        {...input}
        required
        onInput={(event) => onValue(event.currentTarget.valueAsNumber)}
      />
    </label>
  );
}

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly string[];
  readonly onValue: (value: string) => void;
}

function Select({ label, value, options, onValue }: SelectProps) {
  return (
    <label>
      <span class="quiet">{label} </span>
      <select value={value} onChange={(event) => onValue(event.currentTarget.value)}>
        {options.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}
