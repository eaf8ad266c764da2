// The example `embed-axum`: a real hub behind real axum.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const workspace = fileURLToPath(new URL('../../../..', import.meta.url));

/** Builds the example; says why not if that cannot be. */
export const build = () => {
  const cargo = (...args) => spawnSync('cargo', args, { cwd: workspace, encoding: 'utf8' });
  if (cargo('--version').error) return { skip: 'cargo is not installed' };
  const built = cargo('build', '--quiet', '--package', 'bookhub-examples', '--bin', 'embed-axum');
  if (built.status !== 0) throw Error(built.stderr);
  const { target_directory } = JSON.parse(cargo('metadata', '--no-deps', '--format-version', '1').stdout);
  return { program: path.join(target_directory, 'debug', 'embed-axum') };
};

/** Runs it until the test ends. */
export const run = async (t, program) => {
  const child = spawn(program, ['127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const address = /^listening on (.+:(\d+))$/.exec(line);
  if (!address) throw Error(`embed-axum says ${line}`);
  const url = `http://${address[1]}`;
  return {
    url,
    port: Number(address[2]),
    /** Publishes, and gives the id. */
    say: async (words) => {
      const answer = await fetch(`${url}/news`, { method: 'POST', body: words });
      if (!answer.ok) throw Error(`embed-axum answers ${answer.status}`);
      return (await answer.text()).trim();
    },
  };
};
