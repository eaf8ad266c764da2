// One application's place in the log: passes on each event once and in order, and says when one is
// missing. Knows no connection.

import { env } from './env.js';
import { sameEpoch } from './id.js';
import type { News } from './news.js';
import type { FeedOptions } from './types.js';

/** Where news comes in for one application. */
export interface Inbox {
  readonly position: () => string | undefined;
  readonly take: (news: News) => void;
  readonly close: () => void;
}

/**
 * An inbox for the handlers of `options` that lets pass what `topics` cover. A step that does not
 * follow on the application's position is not taken; `onGap` is called instead.
 */
export const inbox = (options: FeedOptions, topics: Set<string>, onGap?: () => void): Inbox => {
  let position = options.resumeFrom;
  let closed = false;

  /** A handler that fails, at once or later, is reported and changes nothing. */
  const call = <T>(handler: ((value: T) => unknown) | undefined, value: T): void => {
    if (closed) return;
    try {
      const result = handler?.(value);
      if (result instanceof Promise) result.catch(report);
    } catch (error) {
      report(error);
    }
  };

  return {
    position: () => position,
    take(news) {
      if ('state' in news) {
        call(options.onState, news.state);
      } else if ('resync' in news) {
        position = news.resync.position;
        call(options.onResync, news.resync);
      } else {
        const { prev, id, event } = news.step;
        const before = position;
        if (before && sameEpoch(id, before)) {
          if (id <= before) return;
          if (!prev || !sameEpoch(prev, before) || prev > before) {
            onGap?.();
            return;
          }
        }
        position = id;
        // The server has not said that its log began anew.
        if (before && !sameEpoch(id, before)) {
          call(options.onResync, { reason: 'epoch_changed', position });
        }
        if (event && [...topics].some((pattern) => covers(pattern, event.topic))) {
          call(options.onEvent, event);
        }
      }
    },
    close() {
      closed = true;
    },
  };
};

const report = (error: unknown): void => {
  (env.reportError ?? console.error)(error);
};

const covers = (pattern: string, topic: string): boolean => {
  if (pattern === topic) return true;
  const parts = topic.split('.');
  const wanted = pattern.split('.');
  return wanted.length === parts.length && wanted.every((part, i) => part === '*' || part === parts[i]);
};
