// The built module in real tabs: Web Locks, BroadcastChannel, WebSocket and fetch as they are.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { until } from '../support/feed.js';
import { Hub } from '../support/hub.js';
import { start } from './chromium.js';

const PAGE = `<!doctype html><meta charset="utf-8"><title>A tab</title><link rel="icon" href="data:,"><script type="module">
  import { connect } from '/index.js';
  window.told = { data: [], resyncs: [], states: [] };
  window.follow = (options) => {
    window.feed = connect({
      url: '/',
      topics: ['a'],
      onEvent: ({ data }) => told.data.push(data),
      onResync: ({ reason }) => told.resyncs.push(reason),
      onState: ({ state }) => told.states.push(state),
      ...options,
    });
  };
</script>`;

const setUp = async (t) => {
  const hub = await Hub.start();
  t.after(() => hub.stop());
  hub.files = {
    '/': { type: 'text/html', body: PAGE },
    '/index.js': { type: 'text/javascript', body: readFileSync(new URL('../../dist/index.js', import.meta.url)) },
  };
  const context = await start(t);
  const complaints = [];
  /** Opens a tab that follows the hub. */
  const open = async (options = {}) => {
    const page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => complaints.push(message.text()));
    await page.goto(hub.url);
    await page.evaluate((options) => window.follow(options), options);
    const told = (check) => page.waitForFunction(check, null, { polling: 20 });
    return {
      page,
      connected: () => told(() => window.told.states.includes('connected')),
      received: (number) =>
        page.waitForFunction((number) => window.told.data.length >= number, number, { polling: 20 }),
      told: () => page.evaluate(() => window.told),
      position: () => page.evaluate(() => window.feed.position()),
    };
  };
  return { hub, open, complaints };
};

test('two tabs share a connection; when the first closes, the other goes on', async (t) => {
  const { hub, open, complaints } = await setUp(t);
  const sockets = () => hub.requests.filter(({ transport }) => transport === 'ws').length;
  const first = await open({ shared: true });
  await first.connected();
  const second = await open({ shared: true });
  await second.connected();
  for (let i = 1; i <= 50; i++) hub.publish('a', i);
  await first.received(50);
  await second.received(50);
  assert.equal(sockets(), 1);

  await first.page.close();
  for (let i = 51; i <= 100; i++) hub.publish('a', i);
  await second.received(100);
  assert.equal(sockets(), 2);

  // A tab that crashes says no goodbye.
  const third = await open({ shared: true });
  await third.connected();
  const crashed = second.page.waitForEvent('crash');
  await second.page.goto('chrome://crash').catch(() => undefined);
  await crashed;
  for (let i = 101; i <= 120; i++) hub.publish('a', i);
  await third.received(20);

  const told = await third.told();
  assert.deepEqual(told.data, Array.from({ length: 20 }, (_, i) => 101 + i));
  assert.deepEqual(told.resyncs, []);
  assert.equal(await third.position(), hub.head);
  assert.deepEqual(complaints, []);
});

test('the tab that takes over had each event once and in order', async (t) => {
  const { hub, open } = await setUp(t);
  const tabs = [await open({ shared: true }), await open({ shared: true }), await open({ shared: true })];
  for (const tab of tabs) await tab.connected();
  let published = 0;
  while (tabs.length > 1) {
    for (let i = 0; i < 200; i++) {
      hub.publish('a', ++published);
      if (i === 100) void tabs.shift().page.close();
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    for (const tab of tabs) await tab.received(published);
  }
  const told = await tabs[0].told();
  assert.deepEqual(told.data, Array.from({ length: published }, (_, i) => i + 1));
  assert.deepEqual(told.resyncs, []);
});

for (const transport of ['ws', 'sse', 'poll']) {
  test(`a tab follows over ${transport}, and goes on after a cut`, async (t) => {
    const { hub, open } = await setUp(t);
    const tab = await open({ transports: [transport], auth: 'secret' });
    await tab.connected();
    hub.publish('a', 1);
    await tab.received(1);
    hub.cut();
    hub.publish('a', 2);
    await tab.received(2);
    assert.deepEqual((await tab.told()).data, [1, 2]);
    await tab.page.evaluate(() => window.feed.close());
    await until(() => hub.clients.size === 0);
  });
}

test('where the network lets no WebSocket through, SSE does it', async (t) => {
  const { hub, open } = await setUp(t);
  hub.refuse.ws = { status: 502 };
  const tab = await open();
  await tab.connected();
  hub.publish('a', 1);
  await tab.received(1);
  assert.equal(hub.requests.at(-1).transport, 'sse');
});
