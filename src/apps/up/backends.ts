// The engines of a stack as its router gets them: addresses, models, KV events and certificates.

import { engineAddress, NoResponseError } from '../../core/base/index.ts';
import type {
  Backend,
  EnginePlan,
  EnginePorts,
  LocalEngine,
  RemoteEngine,
} from '../../core/launch/index.ts';
import { publishesWhereChosen } from '../../core/layout/index.ts';
import type { Values } from '../../core/values/index.ts';
import { PinnedCertificate, type ProbeTls, probe } from '../../io/processes/index.ts';

/** An engine as its router gets it, and how "up" itself reaches it. */
export interface ReachedBackend extends Backend {
  /** If its URL is https. */
  readonly tls?: ProbeTls | undefined;
}

const remoteModelsTimeoutMs = 10_000;

/**
 * The backend of an engine. Asks a running one for its model if the values name none.
 *
 * @param ports Undefined for an engine that is not started here.
 * @throws {NoResponseError} If the engine lists no model.
 */
export async function backendOf(
  engine: EnginePlan,
  ports: EnginePorts | undefined,
  {
    values,
    environment,
  }: {
    readonly values: Values;
    readonly environment: Readonly<Record<string, string | undefined>>;
  },
): Promise<ReachedBackend> {
  // The router's own certificate is the one that engines ask for.
  const { engineTls } = values.routerSpec;
  const role = engine.role && { role: engine.role };
  if (engine.kind === 'url') {
    const { name, url, given } = engine;
    const model = engine.model ?? (await modelOf(engine, environment.VLLM_API_KEY, engineTls));
    return { name, url, ...(given !== undefined && { given }), model, ...role };
  }
  const kvEvents =
    ports && publishesWhereChosen(engine.spec)
      ? { events: ports.kvEvents, replay: ports.kvReplay }
      : undefined;
  const { cert, key } = engineTls;
  return {
    name: engine.name,
    url: localUrl(engine, ports?.http),
    ...{ model: engine.model, ...role },
    kvEvents,
    ...(engine.certificate !== undefined && {
      tls: { pinned: new PinnedCertificate(engine.certificate), cert, key },
    }),
  };
}

/** Base URL of an engine that is started here. */
export function localUrl({ certificate }: LocalEngine, port: number | undefined): string {
  return `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
}

/** The first model that a running engine serves. */
async function modelOf(
  { url, given = url }: Pick<RemoteEngine, 'url' | 'given'>,
  engineKey: string | undefined,
  tls: ProbeTls,
): Promise<string> {
  try {
    const { authorization } = engineAddress(given);
    const key = authorization === undefined ? engineKey : undefined;
    const options = { timeoutMs: remoteModelsTimeoutMs, key, authorization, tls };
    const { status, body } = await probe(`${url}/v1/models`, options);
    if (status !== 200) throw new Error(`it returned ${status}`);
    const { data } = JSON.parse(body) as { data?: { id?: string }[] };
    const id = data?.[0]?.id;
    if (id === undefined) throw new Error('it lists no model');
    return id;
  } catch (error) {
    throw new NoResponseError(
      `the engine at ${url} does not list its model on ${url}/v1/models (${reasonOf(error)}): start it first, or fix its URL.`,
      { cause: error },
    );
  }
}

/** The system's code where it has one; a timeout has a number. */
function reasonOf(error: unknown): string {
  const { name, message, code } = error as NodeJS.ErrnoException;
  if (/^(AbortError|TimeoutError)$/.test(name)) {
    return `no response within ${remoteModelsTimeoutMs / 1000} s`;
  }
  return code ?? message;
}
