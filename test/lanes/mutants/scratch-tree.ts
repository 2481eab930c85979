// A copy of the working tree in a temporary folder, in which mutants are tried, so that neither mutants nor the
// tests that run with them change the working tree.
import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface TestRun {
  readonly passed: boolean;
  readonly timedOut: boolean;
  readonly durationMs: number;
  /** Name of the failed test, if any. */
  readonly failed: string | undefined;
}

export class ScratchTree {
  readonly root = mkdtempSync(join(tmpdir(), 'spillway-mutants-'));

  /** Copies files that git tracks or would add; links dependencies. */
  constructor(source: string) {
    for (const file of filesOf(source)) {
      mkdirSync(dirname(join(this.root, file)), { recursive: true });
      cpSync(join(source, file), join(this.root, file));
    }
    for (const folder of ['node_modules', '.toolchain']) {
      if (existsSync(join(source, folder))) {
        symlinkSync(join(source, folder), join(this.root, folder), 'dir');
      }
    }
    // Tokenizers, so that no mutant costs a download.
    if (existsSync(join(source, '.cache', 'tokenizers'))) {
      const cache = join(this.root, '.cache', 'tokenizers');
      cpSync(join(source, '.cache', 'tokenizers'), cache, { recursive: true });
    }
    mkdirSync(join(this.root, 'tmp'));
  }

  read(file: string): string {
    return readFileSync(join(this.root, file), 'utf8');
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.root, file), text);
  }

  /** Runs test files in one process; ends it together with all processes that it started. */
  run(
    testFiles: readonly string[],
    { timeoutMs, environment = {} }: { timeoutMs: number; environment?: NodeJS.ProcessEnv },
  ): Promise<TestRun> {
    const started = performance.now();
    return new Promise((resolve, reject) => {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'run-tests.ts'), ...testFiles],
        {
          cwd: this.root,
          detached: true,
          stdio: ['ignore', 'pipe', 'ignore'],
          env: {
            ...process.env,
            ...environment,
            // Most of a test's time would go into compiling sources that no mutant has changed.
            ...(environment['NODE_V8_COVERAGE'] === undefined && {
              NODE_COMPILE_CACHE: join(this.root, '.cache', 'compiled'),
            }),
            SPILLWAY_CACHE_DIR: join(this.root, '.cache'),
            TMPDIR: join(this.root, 'tmp'),
          },
        },
      );
      let output = '';
      let timedOut = false;
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-outputCharactersMax);
      });
      const timer = setTimeout(() => {
        timedOut = true;
        killGroup(child.pid);
      }, timeoutMs);
      child.on('error', reject);
      child.on('exit', () => {
        clearTimeout(timer);
        killGroup(child.pid);
        this.#killLeftOver();
      });
      child.on('close', (status) => {
        resolve({
          passed: status === 0 && !timedOut,
          timedOut,
          durationMs: performance.now() - started,
          failed: /^failed: (.*)$/m.exec(output)?.[1],
        });
      });
    });
  }

  remove(): void {
    this.#killLeftOver();
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Ends processes that left the group of their test: those that work in or run from this tree. */
  #killLeftOver(): void {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const command = readFileSync(join('/proc', pid, 'cmdline'), 'utf8');
        const directory = readlinkSync(join('/proc', pid, 'cwd'));
        if (command.includes(this.root) || directory.startsWith(this.root)) {
          process.kill(Number(pid), 'SIGKILL');
        }
      } catch {
        // It ended in between, or is somebody else's.
      }
    }
  }
}

/** Enough for the name of the failed test; a mutant may print endlessly. */
const outputCharactersMax = 100_000;

function filesOf(root: string): string[] {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  return execFileSync('git', list, { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(root, file)));
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}
