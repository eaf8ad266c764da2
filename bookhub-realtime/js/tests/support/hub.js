// A hub in memory that speaks the protocol over all three transports, and misbehaves when told to.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

/** A position as the hub writes it: the number of hexadecimal digits, then the digits. */
export const position = (number) => {
  const digits = number.toString(16);
  return digits.length.toString(36) + digits;
};

const covers = (pattern, topic) => {
  const [a, b] = [pattern.split('.'), topic.split('.')];
  return a.length === b.length && a.every((part, i) => part === '*' || part === b[i]);
};

export class Hub {
  epoch = 'e1';
  log = [];
  /** The oldest number that is still kept. */
  tail = 0;
  heartbeat = 25_000;
  /** Topics that nobody may follow. */
  forbidden = new Set();
  /** The only credential that is accepted, if there is one. */
  credential;
  /** What to answer instead of serving: transport to status and headers, or `'hang'`. */
  refuse = {};
  /** Called with each hello, before it is answered; `false` leaves it unanswered. */
  onHello = () => true;
  /** How long a poll waits for events. */
  pollWait = 25_000;
  /** What is served beside the hub: path to type and body. */
  files = {};
  /** The requests that came: transport, headers, query. */
  requests = [];
  /** What clients said over WebSocket. */
  heard = [];
  clients = new Set();
  #sockets = new Set();
  #number = 0;
  #tokens = new Map();

  static async start() {
    const hub = new Hub();
    hub.server = createServer((request, response) => hub.#serve(request, response));
    hub.server.on('connection', (socket) => {
      hub.#sockets.add(socket);
      socket.on('close', () => hub.#sockets.delete(socket));
    });
    const upgrades = new WebSocketServer({ noServer: true });
    hub.server.on('upgrade', (request, socket, head) => {
      if (hub.#refused('ws', request, socket)) return;
      upgrades.handleUpgrade(request, socket, head, (ws) => hub.#follow(ws));
    });
    hub.server.listen(0, '127.0.0.1');
    await once(hub.server, 'listening');
    hub.url = `http://127.0.0.1:${hub.server.address().port}`;
    return hub;
  }

  async stop() {
    this.server.close();
    this.cut();
    await once(this.server, 'close');
  }

  /** Ends every connection without a word. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  id(number) {
    return `${this.epoch}-${position(number)}`;
  }

  get head() {
    return this.id(this.#number);
  }

  /** A log that began anew. */
  restart(epoch) {
    this.epoch = epoch;
    this.log = [];
    this.#number = 0;
    this.cut();
  }

  publish(topic, data = null, event = 'said') {
    const number = ++this.#number;
    const entry = { number, topic, frame: { id: this.id(number), event, topic, data } };
    this.log.push(entry);
    for (const client of this.clients) client.offer(entry);
    return entry.frame.id;
  }

  /** Says something to every client. */
  say(event, data) {
    for (const client of this.clients) client.put({ event, data });
  }

  /** Ends every connection with a code, each as its transport does. */
  close(code, reason = '') {
    for (const client of this.clients) client.end(code, reason);
  }

  #refused(transport, request, socket) {
    const url = new URL(request.url, 'http://x');
    this.requests.push({ transport, url, headers: request.headers });
    const refusal = this.refuse[transport];
    if (!refusal || refusal === 'hang') return !!refusal;
    const { status, headers = {}, body = '' } = refusal;
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('');
    socket.end(`HTTP/1.1 ${status} X\r\n${lines}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
    return true;
  }

  /** Where a client that has seen up to `lastId` begins, or why it cannot. */
  #start(lastId) {
    if (!lastId) return { number: this.#number, recovered: false };
    const [epoch, text] = lastId.split('-');
    const number = parseInt(text.slice(1), 16);
    if (epoch !== this.epoch) return { number: this.#number, reason: 'epoch_changed' };
    if (number < this.tail) return { number: this.#number, reason: 'history_expired' };
    return { number, recovered: true };
  }

  #client(topics, put, end) {
    const client = {
      topics: new Set(topics.filter((topic) => !this.forbidden.has(topic))),
      put,
      end,
      offer: (entry) => {
        if ([...client.topics].some((topic) => covers(topic, entry.topic))) put(entry.frame);
      },
    };
    return client;
  }

  /** Says where the client is, passes on what it missed, and begins with what comes. */
  #begin(client, topics, start, known = null) {
    const now = start.recovered ? this.id(start.number) : this.head;
    const denied = topics.filter((topic) => this.forbidden.has(topic));
    const token = this.#token(client);
    client.put({
      event: 'connection:success',
      data: {
        id: 'c', timestamp: '', message: '', token, epoch: this.epoch, position: now,
        recovered: !!start.recovered, heartbeat: this.heartbeat,
      },
    });
    client.put({ event: 'subscribed', data: { topics: [...client.topics], denied, position: now, token } });
    if (start.reason) client.put({ event: 'resync', data: { reason: start.reason, position: this.head } });
    for (const entry of this.log) {
      const replayed = known === null || known.some((topic) => covers(topic, entry.topic));
      if (entry.number > start.number && replayed) client.offer(entry);
    }
    this.clients.add(client);
  }

  #token(client) {
    const token = `token-${this.#tokens.size}`;
    this.#tokens.set(token, [...client.topics]);
    return token;
  }

  #follow(ws) {
    let client;
    ws.on('close', () => this.clients.delete(client));
    ws.on('error', () => {});
    const put = (frame) => ws.send(JSON.stringify(frame));
    ws.on('message', (bytes) => {
      const message = JSON.parse(bytes);
      this.heard.push(message);
      if (message.type === 'hello') {
        client = this.#client(message.topics, put, (code, reason) => ws.close(code, reason));
        client.raw = ws;
        if (!this.onHello(message, client)) return;
        if (this.credential !== undefined && message.auth !== this.credential) {
          put({ event: 'error', data: { code: 'unauthorized', message: 'Who are you?' } });
          ws.close(4401, 'unauthorized');
          return;
        }
        const { token, last_id } = message.resume ?? {};
        this.#begin(client, message.topics, this.#start(last_id), token ? this.#tokens.get(token) : null);
      } else {
        const { type, topics = [] } = message;
        if (type === 'auth' && this.credential !== undefined && message.token !== this.credential) ws.close(4401, '');
        const denied = topics.filter((topic) => this.forbidden.has(topic));
        for (const topic of topics) {
          if (type === 'unsubscribe') client.topics.delete(topic);
          else if (!denied.includes(topic)) client.topics.add(topic);
        }
        put({
          event: 'subscribed',
          data: { topics: [...client.topics], denied, position: this.head, token: this.#token(client) },
        });
      }
    });
  }

  #serve(request, response) {
    const file = this.files[request.url];
    if (file) {
      response.writeHead(200, { 'content-type': file.type }).end(file.body);
      return;
    }
    const transport = { '/events': 'sse', '/poll': 'poll' }[request.url.split('?')[0]];
    if (!transport) {
      response.writeHead(404).end();
      return;
    }
    if (this.#refused(transport, request, response.socket)) return;
    const { searchParams } = this.requests.at(-1).url;
    if (this.credential !== undefined && request.headers.authorization !== `Bearer ${this.credential}`) {
      response.writeHead(401).end();
      return;
    }
    const topics = searchParams.get('topics').split(',');
    const start = this.#start(searchParams.get('after'));
    if (transport === 'sse') this.#stream(response, topics, start);
    else this.#poll(response, topics, start);
  }

  #stream(response, topics, start) {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const put = (frame) => {
      const id = frame.id ? `id: ${frame.id}\n` : '';
      response.write(`${id}event: ${frame.event}\ndata: ${JSON.stringify(frame)}\n\n`);
    };
    const client = this.#client(topics, put, (code, reason) => {
      put({ event: 'close', data: { code, reason } });
      response.end();
    });
    client.raw = response;
    response.on('close', () => this.clients.delete(client));
    this.#begin(client, topics, start);
  }

  #poll(response, topics, start) {
    const events = [];
    let done = false;
    const finish = () => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      this.clients.delete(client);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ events, position: this.head }));
    };
    const put = (frame) => {
      events.push(frame);
      setImmediate(finish);
    };
    const client = this.#client(topics, put, (code, reason) => put({ event: 'close', data: { code, reason } }));
    client.raw = response;
    const timer = setTimeout(finish, start.recovered ? this.pollWait : 0);
    response.on('close', () => {
      clearTimeout(timer);
      this.clients.delete(client);
    });
    if (start.reason) put({ event: 'resync', data: { reason: start.reason, position: this.head } });
    for (const entry of this.log) if (entry.number > start.number) client.offer(entry);
    this.clients.add(client);
  }
}
