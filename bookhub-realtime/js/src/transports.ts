// How the protocol travels: WebSocket, server-sent events, long poll. Each opens one connection and
// hands on what it hears; what that means is not known here.

import type { Place } from './attempt.js';
import type { FeedOptions, Transport } from './types.js';

/** What a transport knows of the connection that it serves, and tells it. */
export interface Port {
  readonly url: string;
  readonly place: Readonly<Place>;
  readonly options: FeedOptions;
  /** The first message. */
  readonly hello: () => object;
  /** The server has answered and speaks the protocol. */
  readonly opened: () => void;
  /** A frame came, or nothing but a sign of life. */
  readonly hear: (frame?: unknown) => void;
  /** Everything up to this position has come. */
  readonly reached: (position: unknown) => void;
  /** The server wants no next try before so many milliseconds. */
  readonly retry: (wait: number) => void;
  /** The connection is over. */
  readonly over: (reason: string, code?: number) => void;
}

/** An open connection. */
export interface Line {
  /** Says something in band, if the connection stands. Where it is missing, there is no such way. */
  readonly say?: (message: object) => void;
  readonly stop: () => void;
}

const websocket = (port: Port): Line => {
  const Socket: NonNullable<FeedOptions['WebSocket']> = port.options.WebSocket ?? WebSocket;
  const socket = new Socket(port.url.replace(/^http/, 'ws'), 'bookhub.v1');
  const say = (message: object): void => {
    if (socket.readyState === 1) socket.send(JSON.stringify(message));
  };
  socket.onopen = () => {
    say(port.hello());
  };
  socket.onmessage = ({ data }) => {
    port.hear(data);
  };
  socket.onclose = ({ code, reason }) => {
    port.over(reason, code);
  };
  // A close follows; but without this, Node's would throw.
  socket.onerror = () => undefined;
  return {
    say,
    stop: () => {
      socket.close();
    },
  };
};

/** The longest block of a stream, in characters: an event is 16 MiB at most. */
const LONGEST = 3e7;

/** A transport over HTTP: what it does with answers, until it is stopped. */
const http = (
    run: (
      port: Port,
      ask: (after: string | undefined) => Promise<Response>,
      stopped: () => boolean,
    ) => Promise<void>,
  ) =>
  (port: Port): Line => {
    const stop = new AbortController();
    const ask = async (after: string | undefined): Promise<Response> => {
      const url = new URL(port.url);
      const { auth, topics } = port.place;
      const { credentials } = port.options;
      const headers: Record<string, string> = {};
      // None cannot be said; of the server's default topics nothing is passed on.
      if (topics.size) url.searchParams.set('topics', [...topics].join());
      if (auth) headers.authorization = `Bearer ${auth}`;
      if (after) {
        url.searchParams.set('after', after);
        headers['last-event-id'] = after;
      }
      const response = await fetch(url, {
        cache: 'no-store',
        ...(credentials && { credentials }),
        headers,
        signal: stop.signal,
      });
      if (!response.ok) {
        const { status } = response;
        const wait = response.headers.get('retry-after');
        if (wait) port.retry(+wait * 1e3 || Date.parse(wait) - Date.now());
        port.over(`the server answered ${status}`, status === 401 ? 4401 : status);
      }
      return response;
    };
    run(port, ask, () => stop.signal.aborted).catch((error: unknown) => {
      port.over(String(error));
    });
    return {
      stop: () => {
        stop.abort();
      },
    };
  };

const sse = http(async (port, ask, stopped) => {
  const { body, headers } = await ask(port.place.position);
  if (!body || !/^text\/event-stream/i.test(headers.get('content-type') ?? '')) {
    throw Error('the server sends no event stream');
  }
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let id = '';
  let data = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done || stopped()) break;
    port.opened();
    port.hear();
    const lines = decoder.decode(value, { stream: true }).split('\n');
    const last = lines.pop() ?? '';
    for (const part of lines) {
      const line = (rest + part).trim();
      rest = '';
      if (line.startsWith('data:')) data += line.slice(5);
      if (line.startsWith('id:')) id = line.slice(3).trim();
      if (!line) {
        if (data) port.hear(data);
        if (id) port.reached(id);
        id = data = '';
      }
    }
    rest += last;
    if (rest.length + data.length > LONGEST) throw Error('an event is too long');
  }
  port.over('');
});

const poll = http(async (port, ask, stopped) => {
  const { place } = port;
  let after: string | undefined;
  while (!stopped()) {
    const begun = Date.now();
    const response = await ask(after);
    const { events, position, denied } = (await response.json()) as Record<string, unknown>;
    const frames = [...(events as unknown[])];
    if (stopped()) break;
    port.opened();
    port.hear({ event: 'subscribed', data: { denied } });
    // Asked for nothing, the server answers at once, and is only known to be there.
    if (after || !place.position) {
      frames.forEach(port.hear);
      port.reached(position);
    }
    const idle = after === place.position;
    after = place.position;
    // A server that always answers at once is not asked in a loop.
    if (idle && Date.now() - begun < 1e3) await new Promise((resolve) => setTimeout(resolve, 1e3));
  }
});

/** The transports by name. */
export const TRANSPORTS: Record<Transport, (port: Port) => Line> = { ws: websocket, sse, poll };
