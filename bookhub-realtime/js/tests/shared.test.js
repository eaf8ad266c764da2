// Several tabs over one connection.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { follow, until } from './support/feed.js';
import { Hub } from './support/hub.js';
import { Locks } from './support/locks.js';
import { generator } from './support/random.js';

let names = 0;

/** A hub, and tabs that share one connection to it. */
const tabs = async (t) => {
  const hub = await Hub.start();
  t.after(() => hub.stop());
  const locks = new Locks();
  const shared = `test ${process.pid} ${++names}`;
  return { hub, locks, open: (options) => follow(t, hub, { shared, locks, ...options }) };
};

/** Waits until each has as many events. */
const all = async (tabs, number) => {
  for (const tab of tabs) await tab.received(number);
};

test('one tab has the connection, and all get each event once and in order', async (t) => {
  const { hub, open } = await tabs(t);
  const [a, b, c] = [open(), open(), open()];
  for (const tab of [a, b, c]) await tab.connected();
  for (let i = 0; i < 100; i++) hub.publish('a', i);
  await all([a, b, c], 100);
  for (const tab of [a, b, c]) {
    assert.deepEqual(tab.data(), Array.from({ length: 100 }, (_, i) => i));
    assert.equal(tab.feed.position(), hub.head);
    assert.equal(tab.count('connected'), 1);
  }
  assert.equal(hub.requests.length, 1);
});

test('when the leader closes another goes on, without gap or repeat', async (t) => {
  const { hub, open } = await tabs(t);
  const group = [open(), open(), open()];
  for (const tab of group) await tab.connected();
  let published = 0;
  const expected = [];
  while (group.length) {
    for (let i = 0; i < 5; i++) expected.push(++published) && hub.publish('a', published);
    await all(group, published);
    const [leader] = group.splice(0, 1);
    leader.feed.close();
    for (let i = 0; i < 5; i++) expected.push(++published) && hub.publish('a', published);
    if (group.length) {
      await all(group, published);
      for (const tab of group) assert.deepEqual(tab.data(), expected);
      for (const tab of group) assert.deepEqual(tab.resyncs, []);
    }
    assert.equal(leader.events.length, published - 5, 'nothing after close');
  }
  await until(() => hub.clients.size === 0);
});

test('a resync and the end reach every tab once', async (t) => {
  const { hub, open } = await tabs(t);
  const group = [open(), open()];
  for (const tab of group) await tab.connected();
  for (let i = 0; i < 3; i++) hub.publish('a', i);
  await all(group, 3);
  hub.restart('e2');
  for (const tab of group) await until(() => tab.resyncs.length > 0);
  hub.publish('a', 'new');
  await all(group, 4);
  for (const tab of group) assert.deepEqual(tab.resyncs, [{ reason: 'epoch_changed', position: 'e2-10' }]);
  hub.close(4409, 'replaced');
  for (const tab of group) await until(() => tab.count('closed') === 1);
});

test('a tab that comes later with an old position catches up, and the others hear nothing twice', async (t) => {
  const { hub, open } = await tabs(t);
  const a = open();
  await a.connected();
  for (let i = 1; i <= 10; i++) hub.publish('a', i);
  await a.received(10);
  const b = open({ resumeFrom: hub.id(4) });
  await b.received(6);
  hub.publish('a', 11);
  await a.received(11);
  await b.received(7);
  assert.deepEqual(b.data(), [5, 6, 7, 8, 9, 10, 11]);
  assert.deepEqual(a.data(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  assert.deepEqual([...a.resyncs, ...b.resyncs], []);
});

test('a tab that comes later without a position starts where the others are', async (t) => {
  const { hub, open } = await tabs(t);
  const a = open();
  await a.connected();
  hub.publish('a', 1);
  await a.received(1);
  const b = open();
  await b.connected();
  assert.equal(b.feed.position(), hub.id(1));
  hub.publish('a', 2);
  await b.received(1);
  assert.deepEqual(b.data(), [2]);
  assert.equal(hub.requests.length, 1);
});

test('a tab with a position of a life that has ended is told, the others are not', async (t) => {
  const { hub, open } = await tabs(t);
  const a = open();
  await a.connected();
  hub.publish('a', 1);
  await a.received(1);
  const b = open({ resumeFrom: 'e0-15' });
  await until(() => b.resyncs.length > 0);
  hub.publish('a', 2);
  await b.received(1);
  await a.received(2);
  assert.deepEqual(b.resyncs, [{ reason: 'epoch_changed', position: hub.id(1) }]);
  assert.deepEqual([b.data(), a.data(), a.resyncs], [[2], [1, 2], []]);
});

test('each tab gets what it follows, also what it asks for later and after a change of the leader', async (t) => {
  const { hub, open } = await tabs(t);
  const a = open({ topics: ['a'] });
  await a.connected();
  const b = open({ topics: ['b.*'] });
  await b.connected();
  await until(() => [...hub.clients].some(({ topics }) => topics.has('b.*')));
  hub.publish('a', 1);
  hub.publish('b.x', 2);
  await all([a, b], 1);
  b.feed.subscribe(['c']);
  await until(() => [...hub.clients].some(({ topics }) => topics.has('c')));
  hub.publish('c', 3);
  hub.publish('a', 4);
  await all([a, b], 2);
  const c = open({ topics: ['a'], resumeFrom: a.feed.position() });
  await c.connected();
  a.feed.close();
  hub.publish('c', 5);
  hub.publish('b.y', 6);
  hub.publish('a', 7);
  await b.received(4);
  await c.received(1);
  b.feed.close();
  hub.publish('a', 8);
  await c.received(2);
  assert.deepEqual([a.data(), b.data(), c.data()], [[1, 4], [2, 3, 5, 6], [7, 8]]);
});

test('a topic that nobody followed is followed from where the tab is that comes with it', async (t) => {
  const { hub, open } = await tabs(t);
  const a = open({ topics: ['a'] });
  await a.connected();
  hub.publish('a', 1);
  await a.received(1);
  hub.publish('b', 2);
  const b = open({ topics: ['b'], resumeFrom: hub.id(1) });
  await b.received(1);
  hub.publish('a', 3);
  await a.received(2);
  assert.deepEqual([a.data(), b.data()], [[1, 3], [2]]);
});

test('news that does not follow on what a tab has is not taken, and asked for', async (t) => {
  // The test is the tab that leads.
  const shared = `test ${process.pid} ${++names}`;
  const channel = new BroadcastChannel(`bookhub ${shared}`);
  t.after(() => channel.close());
  const asked = [];
  channel.onmessage = ({ data }) => asked.push(data);
  const locks = { request: () => new Promise(() => {}) };
  const tab = follow(t, { url: 'http://127.0.0.1:9' }, { shared, locks, resumeFrom: 'e-11' });
  const say = (message) => channel.postMessage({ from: 7, ...message });
  const news = (prev, number, from = 7) => {
    const event = { id: `e-1${number}`, event: 'said', topic: 'a', data: number };
    say({ kind: 'news', from, news: { step: { prev: prev && `e-1${prev}`, id: event.id, event } } });
  };
  await until(() => asked.length === 1);
  assert.deepEqual(asked[0], { from: asked[0].from, kind: 'ask', topics: ['a'], position: 'e-11' });
  const ok = { kind: 'ok', to: asked[0].from, position: 'e-11', state: { state: 'connected' } };
  news(1, 2);
  say({ ...ok, to: 8 });
  news(1, 2);
  say(ok);
  news(1, 3);
  news(3, 4, 8);
  news(5, 6);
  await until(() => asked.length === 2);
  assert.equal(asked[1].position, 'e-13');
  news(6, 7);
  say({ ...ok, position: 'e-13' });
  news(2, 4);
  await tab.received(2);
  say({ kind: 'lead', from: 9 });
  await until(() => asked.length === 3);
  news(4, 5);
  say({ ...ok, from: 9 });
  news(4, 6, 9);
  await tab.received(3);
  assert.deepEqual(tab.data(), [3, 4, 6]);
  assert.equal(asked.length, 3);
  assert.equal(tab.count('connected'), 3, 'once for each time that it was heard');
});

test('a tab that leaves a topic gets it no more, the others do', async (t) => {
  const { hub, open } = await tabs(t);
  const [a, b] = [open(), open()];
  await a.connected();
  await b.connected();
  a.feed.unsubscribe(['a']);
  hub.publish('a', 1);
  await b.received(1);
  assert.deepEqual(a.data(), []);
  assert.equal(a.feed.position(), hub.id(1));
});

test('a credential from any tab starts the connection again', async (t) => {
  const { hub, open } = await tabs(t);
  hub.credential = 'good';
  const [a, b] = [open({ auth: 'bad' }), open()];
  await until(() => a.count('closed') && b.count('closed'));
  b.feed.setAuth('good');
  await a.connected();
  await b.connected();
  a.feed.close();
  await b.connected(2);
  assert.equal(hub.heard.at(-1).auth, 'good');
});

test('without locks each tab is alone', async (t) => {
  const { hub, open } = await tabs(t);
  const forbidden = { request: () => Promise.reject(Error('no locks for this origin')) };
  const [a, b] = [open({ locks: undefined }), open({ locks: forbidden })];
  await a.connected();
  await b.connected();
  hub.publish('a', 1);
  await all([a, b], 1);
  assert.equal(hub.requests.length, 2);
});

test('over generated closings, joins and cuts every tab sees each event once and in order', async (t) => {
  const random = generator(t);
  const { hub, open } = await tabs(t);
  const group = [];
  const gone = [];
  let published = 0;
  const join = () => {
    const from = random(published + 1);
    group.push({ from, tab: open({ resumeFrom: hub.id(from) }) });
  };
  join();
  for (let step = 0; step < 150; step++) {
    const what = random(12);
    if (what === 0 && group.length > 1) {
      const [{ from, tab }] = group.splice(random(group.length), 1);
      tab.feed.close();
      gone.push({ from, data: tab.data() });
    } else if (what === 1 && group.length < 5) join();
    else if (what === 2) hub.cut();
    else for (let i = random(4); i > 0; i--) hub.publish('a', ++published);
    if (random(3) === 0) await new Promise((resolve) => setTimeout(resolve, random(15)));
  }
  hub.publish('a', ++published);
  for (const { from, tab } of group) {
    await tab.received(published - from);
    assert.deepEqual(tab.data(), Array.from({ length: published - from }, (_, i) => from + 1 + i));
    assert.deepEqual(tab.resyncs, []);
  }
  for (const { from, data } of gone) assert.deepEqual(data, data.map((_, i) => from + 1 + i));
});
