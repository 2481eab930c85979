// The startup probe of an engine: it has started when it has served a completion, not when it listens. Until then its pod
// is not ready, so no router sends it requests, and a rollout does not stop an old engine for it.
import type { RuntimeSpec } from './resources.ts';

/** Longest time for the completion of one token. It is the engine's first one, which may compile something. */
const completionTimeoutSeconds = 30;
/**
 * Statuses of an engine that does not generate text: vLLM has no such route, or says that the model does not support it.
 * It counts as started if it embeds a text, or has neither API.
 */
const notOfThisModel = [400, 404, 405, 501];

/** The probe runs the interpreter that the image has in any case: Python in vLLM's, Node in Spillway's. */
export function servingProbe(spec: RuntimeSpec): object {
  const { startupSeconds } = spec.deploymentConfig.rollout;
  const periodSeconds = spec.engineKind === 'embedded' ? 1 : 5;
  return {
    exec: { command: probeCommand(spec) },
    timeoutSeconds: 2 * completionTimeoutSeconds,
    periodSeconds,
    failureThreshold: Math.ceil(startupSeconds / periodSeconds),
  };
}

/** Python of an image of vLLM. LMCache's images have it in a virtual environment that is not on the PATH. */
export function pythonOf(image: string): string {
  return /(^|\/)lmcache\//.test(image) ? '/opt/venv/bin/python3' : 'python3';
}

/** A program that ends with 0 when the engine has served a completion. */
export function probeCommand({
  engineKind,
  vllmConfig,
  deploymentConfig,
}: RuntimeSpec): readonly string[] {
  const { port, extraArgs = [] } = vllmConfig;
  const at = `http://127.0.0.1:${port}`;
  const key = apiKeyOf(extraArgs);
  return engineKind === 'embedded'
    ? ['node', '-e', nodeProgram(at, key)]
    : [pythonOf(deploymentConfig.image.name), '-c', pythonProgram(at, key)];
}

/** The key of the command line. That of the variable VLLM_API_KEY is in the probe's environment, too. */
function apiKeyOf(words: readonly string[]): string {
  for (const [at, word] of words.entries()) {
    if (/^--api[-_]key$/.test(word)) return words[at + 1] ?? '';
    const [, inline] = /^--api[-_]key=(.*)$/s.exec(word) ?? [];
    if (inline !== undefined) return inline;
  }
  return '';
}

function pythonProgram(at: string, key: string): string {
  return [
    'import json,os,urllib.request as u,urllib.error as e',
    `key=${JSON.stringify(key)} or os.environ.get("VLLM_API_KEY","")`,
    'def ask(path,body=None):',
    ' head={"content-type":"application/json"}',
    ' if key: head["authorization"]="Bearer "+key',
    ` q=u.Request("${at}"+path,body and json.dumps(body).encode(),head)`,
    ` return json.load(u.urlopen(q,timeout=${completionTimeoutSeconds}))`,
    'model=ask("/v1/models")["data"][0]["id"]',
    'try: ask("/v1/completions",{"model":model,"prompt":"1","max_tokens":1})["choices"][0]',
    'except e.HTTPError as x:',
    ` if x.code not in ${JSON.stringify(notOfThisModel)}: raise`,
    ' try: ask("/v1/embeddings",{"model":model,"input":"1"})["data"][0]',
    ' except e.HTTPError as y:',
    `  if y.code not in ${JSON.stringify(notOfThisModel)}: raise`,
  ].join('\n');
}

function nodeProgram(at: string, key: string): string {
  return [
    'const {env,exit}=process',
    `const key=${JSON.stringify(key)}||env.VLLM_API_KEY`,
    'const ask=async(path,body)=>{',
    'const headers={"content-type":"application/json",...key&&{authorization:"Bearer "+key}}',
    `const signal=AbortSignal.timeout(${completionTimeoutSeconds * 1000})`,
    `const r=await fetch("${at}"+path,{headers,signal,...body&&{method:"POST",body:JSON.stringify(body)}})`,
    'if(r.ok)return r.json()',
    `if(!body||!${JSON.stringify(notOfThisModel)}.includes(r.status))throw Error(path+": status "+r.status)`,
    '}',
    'const main=async()=>{',
    'const model=(await ask("/v1/models")).data[0].id',
    'const done=await ask("/v1/completions",{model,prompt:"1",max_tokens:1})',
    'if(done){done.choices[0].index;return}',
    'await ask("/v1/embeddings",{model,input:"1"})',
    '}',
    'main().catch((x)=>{console.error(x.message);exit(1)})',
  ].join('\n');
}
