// Starts real vLLM and the embedded engine with the same flags and the same model folder.
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../../src/io/processes/index.ts';
import { writeTinyModel } from '../vllm/tiny-model.ts';

/** Flags of the recordings in test/conformance/vllm-wire. */
const flags = [
  '--served-model-name=tiny',
  '--load-format=dummy',
  '--dtype=bfloat16',
  '--max-model-len=8192',
  '--enforce-eager',
  '--enable-prefix-caching',
  '--block-size=128',
  '--enable-prompt-tokens-details',
  '--enable-server-load-tracking',
  '--enable-auto-tool-choice',
  '--tool-call-parser=hermes',
  '--enable-scale-out',
  '--structured-outputs-config={"backend":"xgrammar","disable_any_whitespace":true}',
];

const vllmEnvironment = {
  VLLM_CPU_KVCACHE_SPACE: '1',
  VLLM_CPU_OMP_THREADS_BIND: 'nobind',
  VLLM_NO_USAGE_STATS: '1',
  HF_HUB_OFFLINE: '1',
};

/** Loading torch takes a minute on a busy machine. */
const startTimeoutMs = 300_000;

export interface Servers {
  readonly real: string;
  readonly own: string;
  stop(): Promise<void>;
}

/**
 * Starts both servers. FUZZ_REAL_URL names a running vLLM to use instead; it is not stopped.
 *
 * @param directory Folder for the model.
 * @param python A Python with vLLM.
 */
export async function startServers(directory: string, python: string): Promise<Servers> {
  const model = join(directory, 'tiny');
  writeTinyModel(model);
  // The settings of the recorded model, which are Qwen3's.
  const sampling = { temperature: 0.6, top_k: 20, top_p: 0.95, eos_token_id: [151_645, 151_643] };
  writeFileSync(join(model, 'generation_config.json'), JSON.stringify(sampling));
  const [realPort, ownPort] = await freePorts(2);
  const children: ChildProcess[] = [];
  const start = (command: string, args: readonly string[], port: number | undefined) => {
    const all = [...args, ...flags, '--model', model, '--port', String(port)];
    const child = spawn(command, all, {
      env: { ...process.env, ...vllmEnvironment },
      stdio: ['ignore', 'ignore', process.env['FUZZ_LOG'] ? 'inherit' : 'ignore'],
    });
    children.push(child);
    return ready(`http://127.0.0.1:${port}`, child);
  };
  const given = process.env['FUZZ_REAL_URL'];
  const engine = ['bin/spillway.mjs', 'engine', '--time-scale=inf'];
  const stop = async () => {
    for (const child of children) {
      child.kill('SIGTERM');
      if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
    }
  };
  try {
    const [real, own] = await Promise.all([
      given ?? start(python, ['-m', 'vllm.entrypoints.openai.api_server'], realPort),
      start(process.execPath, engine, ownPort),
    ]);
    return { real, own, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ready(url: string, child: ChildProcess): Promise<string> {
  const deadline = performance.now() + startTimeoutMs;
  while (performance.now() < deadline) {
    if (child.exitCode !== null)
      throw new Error(`${child.spawnargs[1]} ended: FUZZ_LOG=1 says why`);
    const isUp = await fetch(`${url}/health`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isUp) return url;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`${child.spawnargs[1]} was not ready after ${startTimeoutMs / 1000} s`);
}
