// What the stories tell, heard twice: counted by the metrics, and where it is trouble also logged.
import type { Ear } from '../flow/ports.ts';
import type { Logger } from '../io/log.ts';
import type { Metrics } from '../io/metrics.ts';

export function earOf(metrics: Metrics, log: Logger): Ear {
  return {
    ...metrics,
    store(news) {
      metrics.store(news);
      if (news.state === 'ready') log.info({ store: news }, 'store ready');
      else log.warn({ store: news }, 'store down');
    },
    trouble(what, detail) {
      metrics.trouble(what, detail);
      const { error, ...rest } = detail;
      const err =
        error instanceof Error
          ? { type: error.name, message: error.message, stack: error.stack }
          : undefined;
      log[what === 'assertion' ? 'error' : 'warn'](
        { what, ...rest, ...(err === undefined ? {} : { err }) },
        'trouble',
      );
    },
  };
}
