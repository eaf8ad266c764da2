// Against the real hub, over connections that are cut at generated places.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { build, run } from './support/embed-axum.js';
import { follow, until } from './support/feed.js';
import { startProxy } from './support/proxy.js';
import { generator } from './support/random.js';

/** How many events are published while connections are cut. */
const EVENTS = 600;

let hub;
before(() => {
  hub = build();
});

const PATHS = { ws: '/ws', sse: '/events', poll: '/poll' };

/** Whether the hub serves this transport. */
const serves = async (url, transport) => {
  const stop = new AbortController();
  const { status } = await fetch(`${url}${PATHS[transport]}?topics=news`, { signal: stop.signal });
  stop.abort();
  return status !== 404;
};

for (const transports of [['ws'], ['sse'], ['poll'], ['ws', 'sse', 'poll']]) {
  const name = transports.join(', ');

  test(`${name}: each event comes once and in order, however connections are cut`, async (t) => {
    if (hub.skip) return t.skip(hub.skip);
    const { url, port, say } = await run(t, hub.program);
    for (const transport of transports) {
      if (!(await serves(url, transport))) return t.skip(`the hub has no ${PATHS[transport]} yet`);
    }
    const random = generator(t);
    let cuts = 0;
    let calm = false;
    const proxy = await startProxy(t, port, () => {
      if (calm) return Infinity;
      cuts++;
      // Some die at once, some in the handshake, some in the midst of the events.
      return [0, random(300), random(1500), random(6000)][random(4)];
    });
    // Waits stay short, or the cuts would take hours.
    t.mock.method(Math, 'random', () => 0.01);
    const told = follow(t, proxy, { topics: ['news'], transports });

    // What comes before the first connection, a feed without a position does not see.
    calm = true;
    await told.connected();
    await until(() => told.feed.position());
    calm = false;
    proxy.cut();
    const ids = [];
    for (let i = 0; i < EVENTS; i++) {
      ids.push(await say(`${i} ${'x'.repeat(random(60))}`));
      if (random(20) === 0) await new Promise((resolve) => setTimeout(resolve, random(40)));
    }
    calm = true;
    await told.received(EVENTS);
    assert.deepEqual(told.events.map(({ id }) => id), ids);
    assert.deepEqual(told.data().map((words) => parseInt(words)), ids.map((_, i) => i));
    assert.deepEqual(told.resyncs, []);
    assert.equal(told.feed.position(), ids.at(-1));
    const used = new Set(told.states.map((state) => state.state === 'connected' && state.transport));
    t.diagnostic(`${cuts} connections were cut, over ${[...used].filter(Boolean).join(', ')}`);
    assert.ok(cuts >= 5, `only ${cuts} cuts`);
    return undefined;
  });
}

test('ws: a hub that was restarted is told as a resync', async (t) => {
  if (hub.skip) return t.skip(hub.skip);
  const first = await run(t, hub.program);
  const id = await first.say('before');
  const second = await run(t, hub.program);
  const told = follow(t, second, { topics: ['news'], transports: ['ws'], resumeFrom: id });
  await until(() => told.resyncs.length > 0);
  assert.equal(told.resyncs[0].reason, 'epoch_changed');
  await second.say('after');
  await told.received(1);
  assert.deepEqual(told.data(), ['after']);
  return undefined;
});
