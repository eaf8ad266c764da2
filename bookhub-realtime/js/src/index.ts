// The way in: `connect`.

import { env } from './env.js';
import { inbox } from './inbox.js';
import { share } from './shared.js';
import type { Feed, FeedOptions } from './types.js';
import { wire } from './wire.js';

export type * from './types.js';

/**
 * Follows a hub: connects, and stays connected until the feed is closed.
 *
 * Each event comes once and in order for the life of the feed, across lost connections and changes
 * of transport, or `onResync` says that it was not so.
 *
 * ```ts
 * const feed = connect({
 *   url: '/',
 *   topics: ['books'],
 *   onEvent: ({ event, data }) => show(event, data),
 *   onResync: () => fetchAnew(),
 * });
 * ```
 */
export const connect = (options: FeedOptions): Feed => {
  const locks = options.locks ?? env.navigator?.locks;
  if (options.shared && locks && env.BroadcastChannel) {
    return share(options, `bookhub ${String(options.shared === true ? options.url : options.shared)}`, locks);
  }
  const topics = new Set(options.topics);
  const box = inbox(options, topics);
  const line = wire(options, topics, box.take);
  return {
    ...line,
    position: box.position,
    close() {
      box.close();
      line.close();
    },
  };
};
