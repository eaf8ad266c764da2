// One connection for several tabs: the tab that holds a lock has it and passes on what comes. Each
// tab has its own place in the log and takes only what follows on it; one that is behind asks, and
// the connection goes back to there. What the others have seen they drop.

import { sameEpoch } from './id.js';
import { inbox } from './inbox.js';
import type { News } from './news.js';
import type { Feed, FeedOptions, FeedState, LocksLike } from './types.js';
import { wire, type Wire } from './wire.js';

/** What tabs say to each other. */
type Message = { readonly from: number; readonly to?: number } & (
  | { /** A new tab has the connection. */ readonly kind: 'lead' }
  | {
      /** A tab is here, follows these topics, and has seen everything up to here. */
      readonly kind: 'ask';
      readonly topics: string[];
      readonly position: string | undefined;
    }
  | {
      /** From now on, the news is what that tab asked for. */
      readonly kind: 'ok';
      readonly position: string | undefined;
      readonly state: FeedState | undefined;
    }
  | { readonly kind: 'news'; readonly news: News }
  | { readonly kind: 'auth'; readonly auth: string | undefined }
);

/** A feed over the connection of all tabs that use this name. */
export const share = (options: FeedOptions, name: string, locks: LocksLike): Feed => {
  const me = Math.random();
  const channel = new BroadcastChannel(name);
  const topics = new Set(options.topics);
  const life = new AbortController();
  let { auth } = options;
  /** Whose news is taken: that of the leader, once it has heard of this tab. */
  let leader: number | undefined;
  /** The connection, where this tab leads, and what all tabs follow. */
  let line: Wire | undefined;
  let followed = topics;
  let state: FeedState | undefined;
  let resign: (() => void) | undefined;

  const send = (message: object): void => {
    if (!life.signal.aborted) channel.postMessage({ from: me, ...message });
  };

  /** Takes no more news until the leader has heard where this tab is. */
  const ask = (): void => {
    leader = undefined;
    send({ kind: 'ask', topics: [...topics], position: box.position() });
  };

  const box = inbox(options, topics, ask);

  const answer = (tab: number, wanted: string[], position: string | undefined): void => {
    if (!line) return;
    const more = wanted.filter((topic) => !followed.has(topic));
    const here = line.position();
    const behind = position && (!here || (sameEpoch(position, here) && position < here));
    if (behind || (position && more.length)) {
      more.forEach((topic) => followed.add(topic));
      line.rewind(behind ? position : (here ?? position));
    } else if (more.length) {
      line.subscribe(more);
    }
    send({ kind: 'ok', to: tab, position: line.position(), state });
  };

  const lead = (): Promise<void> => {
    followed = new Set(topics);
    line = wire({ ...options, auth, resumeFrom: box.position() }, followed, (news) => {
      if ('state' in news) state = news.state;
      send({ kind: 'news', news });
      box.take(news);
    });
    send({ kind: 'lead' });
    return new Promise((resolve) => (resign = resolve));
  };

  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    if ((data.to ?? me) !== me) return;
    if (data.kind === 'lead') ask();
    else if (data.kind === 'ask') answer(data.from, data.topics, data.position);
    else if (data.kind === 'ok') {
      if (!leader && data.state) box.take({ state: data.state });
      leader = data.from;
      const id = data.position;
      if (id) box.take({ step: { prev: id, id } });
    } else if (data.kind === 'news') {
      if (data.from === leader) box.take(data.news);
    } else {
      auth = data.auth;
      line?.setAuth(auth);
    }
  };

  ask();
  locks.request(name, { signal: life.signal }, lead).catch(() => {
    // Locks that are forbidden here: then alone.
    if (!life.signal.aborted) void lead();
  });

  return {
    position: box.position,
    subscribe(more) {
      const names = [...more];
      names.forEach((topic) => topics.add(topic));
      if (line) line.subscribe(names);
      else send({ kind: 'ask', topics: names });
    },
    unsubscribe(fewer) {
      for (const topic of fewer) topics.delete(topic);
    },
    setAuth(token) {
      auth = token;
      send({ kind: 'auth', auth });
      line?.setAuth(token);
    },
    close() {
      box.close();
      line?.close();
      line = undefined;
      life.abort();
      resign?.();
      channel.close();
    },
  };
};
