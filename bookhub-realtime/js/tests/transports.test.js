// What holds over every transport.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { follow, reported, until } from './support/feed.js';
import { Hub } from './support/hub.js';

for (const transport of ['ws', 'sse', 'poll']) {
  const over = (name, run) =>
    test(`${transport}: ${name}`, async (t) => {
      const hub = await Hub.start();
      t.after(() => hub.stop());
      await run(t, hub, (options) => follow(t, hub, { transports: [transport], ...options }));
    });

  over('events come in order, with a position that names them', async (t, hub, connect) => {
    const positions = [];
    const told = connect({ onEvent: (event, feed) => positions.push([event.id, feed.position()]) });
    await told.connected();
    await until(() => told.feed.position() === hub.id(0));
    for (let i = 1; i <= 20; i++) hub.publish('a', { i });
    await told.received(20);
    assert.deepEqual(told.events[0], { id: hub.id(1), event: 'said', topic: 'a', data: { i: 1 } });
    assert.deepEqual(told.data(), Array.from({ length: 20 }, (_, i) => ({ i: i + 1 })));
    assert.ok(positions.every(([id, position]) => id === position));
    assert.equal(told.feed.position(), hub.id(20));
    assert.equal(told.states.find(({ state }) => state === 'connected').transport, transport);
  });

  over('what was missed while the connection was lost comes once', async (t, hub, connect) => {
    const told = connect();
    await told.connected();
    hub.publish('a', 1);
    await told.received(1);
    hub.refuse = { [transport]: { status: 500 } };
    hub.cut();
    await until(() => told.count('disconnected') > 0);
    hub.publish('a', 2);
    hub.publish('a', 3);
    hub.refuse = {};
    await told.received(3);
    hub.publish('a', 4);
    await told.received(4);
    assert.deepEqual(told.data(), [1, 2, 3, 4]);
    assert.deepEqual(told.resyncs, []);
    assert.equal(told.states.findLast(({ state }) => state === 'connected').recovered, true);
  });

  over('a process goes on where the one before has stopped', async (t, hub, connect) => {
    const before = hub.publish('a', 1);
    hub.publish('a', 2);
    const told = connect({ resumeFrom: before });
    assert.equal(told.feed.position(), before);
    await told.received(1);
    assert.deepEqual(told.data(), [2]);
  });

  over('a log that began anew is told, and its events come', async (t, hub, connect) => {
    const told = connect();
    await told.connected();
    for (let i = 0; i < 40; i++) hub.publish('a', i);
    await told.received(40);
    hub.restart('e2');
    await until(() => told.resyncs.length > 0);
    assert.deepEqual(told.resyncs, [{ reason: 'epoch_changed', position: 'e2-10' }]);
    hub.publish('a', 'new');
    await told.received(41);
    assert.equal(told.data().at(-1), 'new');
    assert.equal(told.feed.position(), 'e2-11');
    assert.equal(told.resyncs.length, 1);
  });

  over('a history that has gone is told', async (t, hub, connect) => {
    const before = hub.publish('a', 1);
    hub.publish('a', 2);
    hub.tail = 2;
    const told = connect({ resumeFrom: before });
    await until(() => told.resyncs.length > 0);
    assert.deepEqual(told.resyncs, [{ reason: 'history_expired', position: hub.id(2) }]);
    // A poll answers only once there is something to say; until then all seems well.
    const { recovered } = told.states.find(({ state }) => state === 'connected');
    assert.equal(recovered, transport === 'poll');
    hub.publish('a', 3);
    await told.received(1);
    assert.deepEqual(told.data(), [3]);
  });

  over('topics are followed and left while it runs', async (t, hub, connect) => {
    const told = connect({ topics: ['a'] });
    await told.connected();
    told.feed.subscribe(['b', 'c.*']);
    await until(() => [...hub.clients].some(({ topics }) => topics.has('c.*')));
    hub.publish('b', 1);
    hub.publish('c.x', 2);
    hub.publish('c.x.y', 'not covered');
    await told.received(2);
    told.feed.unsubscribe(['a']);
    hub.publish('a', 'left');
    await until(() => hub.clients.size > 0 && ![...hub.clients].some(({ topics }) => topics.has('a')));
    hub.publish('a', 'left');
    hub.publish('b', 3);
    await told.received(3);
    hub.cut();
    hub.publish('c.z', 4);
    await told.received(4);
    assert.deepEqual(told.data(), [1, 2, 3, 4]);
  });

  over('a handler that fails is reported, and nothing else changes', async (t, hub, connect) => {
    const errors = reported(t);
    const told = connect({
      onEvent({ data }) {
        if (data === 1) throw Error('at once');
        return data === 2 ? Promise.reject(Error('later')) : undefined;
      },
      onState() {
        throw Error('state');
      },
    });
    await told.connected();
    for (let i = 1; i <= 3; i++) hub.publish('a', i);
    await told.received(3);
    await until(() => errors.some(({ message }) => message === 'later'));
    assert.ok(errors.some(({ message }) => message === 'at once'));
    assert.deepEqual(told.data(), [1, 2, 3]);
    assert.equal(told.feed.position(), hub.id(3));
  });

  over('nothing comes after close, not even the rest of what has come already', async (t, hub, connect) => {
    const told = connect({ onEvent: ({ data }, feed) => data === 2 && feed.close() });
    await told.connected();
    for (let i = 1; i <= 9; i++) hub.publish('a', i);
    await told.received(2);
    await until(() => hub.clients.size === 0);
    assert.deepEqual(told.data(), [1, 2]);
    assert.equal(told.feed.position(), hub.id(2));
    assert.notEqual(told.states.at(-1).state, 'disconnected');
  });

  over('a refused credential ends it until there is another one', async (t, hub, connect) => {
    hub.credential = 'good';
    const told = connect({ auth: 'bad' });
    await until(() => told.count('closed') > 0);
    assert.equal(told.states.at(-1).code, 4401);
    const requests = hub.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 700));
    assert.equal(hub.requests.length, requests, 'it does not try again by itself');
    told.feed.setAuth('good');
    await told.connected();
    assert.ok(hub.requests.every(({ url }) => !/good|bad/.test(url.href)), 'no secret in a URL');
  });

  over('after 1008 and 4409 it does not come back', async (t, hub, connect) => {
    for (const code of [1008, 1009, 4409]) {
      const told = connect();
      await told.connected();
      await until(() => hub.clients.size > 0);
      hub.close(code, 'why');
      await until(() => told.count('closed') > 0);
      assert.deepEqual(told.states.at(-1), { state: 'closed', code, reason: 'why' });
      const requests = hub.requests.length;
      told.feed.setAuth('another');
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(hub.requests.length, requests);
    }
  });

  over('a server that drains is left for as long as it says', async (t, hub, connect) => {
    const told = connect();
    await told.connected();
    await until(() => hub.clients.size > 0);
    const clients = [...hub.clients];
    for (const client of clients) client.put({ event: 'server:draining', data: { retry_after_ms: 123 } });
    for (const client of clients) client.end(1001, 'draining');
    await told.connected(2);
    assert.equal(told.states.find(({ state }) => state === 'disconnected').retryIn, 123);
  });
}
